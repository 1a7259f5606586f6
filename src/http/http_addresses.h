/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_addresses.h - in which order the addresses of a server are tried.
 *
 * Pure. The order is RFC 8305's, section 4: as the resolver sorted them (RFC 6724), the families
 * taking turns. An address that failed is not before one that did not for ADDRESS_REST_MS.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESSES_MAX        16u /* of one server; further ones are not tried */
#define ADDRESSES_REMEMBERED 64u
#define ADDRESS_REST_MS      600000u

struct http_address {
	struct sockaddr_storage place;
	socklen_t size;
};

struct http_address_list {
	struct http_address items[ADDRESSES_MAX];
	unsigned n;
};

/* Addresses that failed lately, of all servers; all zero at first. */
struct http_failures {
	struct {
		struct http_address address;
		uint64_t until_ms; /* 0 = nothing here */
	} items[ADDRESSES_REMEMBERED];
};

bool http_address_is(const struct http_address *a, const struct http_address *b);
uint16_t http_address_port(const struct http_address *a);
void http_address_set_port(struct http_address *a, uint16_t port);
/* "192.0.2.1 port 80" */
void http_address_text(const struct http_address *a, char *ret, size_t size);

/* Once each; what does not fit is left out. */
void http_addresses_add(struct http_address_list *list, const struct http_address *address);
bool http_addresses_have(const struct http_address_list *list, const struct http_address *address);

void http_failures_add(struct http_failures *f, const struct http_address *address,
		       uint64_t now_ms);
void http_failures_remove(struct http_failures *f, const struct http_address *address);
bool http_failures_have(const struct http_failures *f, const struct http_address *address,
			uint64_t now_ms);

/* Sort a list from the resolver. */
void http_addresses_sort(struct http_address_list *list, const struct http_failures *f,
			 uint64_t now_ms);
