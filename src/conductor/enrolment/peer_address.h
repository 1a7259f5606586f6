/* SPDX-License-Identifier: GPL-3.0-or-later */
/* peer_address.h - the address to which a connection is counted: IPv4 mapped into IPv6; of IPv6
 * the /64, which is what one customer of a provider has.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct peer_address {
	uint64_t words[2]; /* in the network's order */
};

#define PEER_ADDRESS_TEXT_SIZE INET6_ADDRSTRLEN

/* Returns false for what is neither IPv4 nor IPv6. */
bool peer_address_read(const struct sockaddr *peer, struct peer_address *ret);

/* Writes it as inet_ntop(3) does, and reads it back: false if it is no address, or one to which
 * nothing is counted. */
void peer_address_write(const struct peer_address *address, char ret[PEER_ADDRESS_TEXT_SIZE]);
bool peer_address_parse(const char *text, struct peer_address *ret);

bool peer_address_equals(const struct peer_address *a, const struct peer_address *b);

/* For a table: with a random seed a stranger cannot choose a place in it. */
uint64_t peer_address_hash(const struct peer_address *address, uint64_t seed);

/* The whole address as text, for an operator; IPv4 as such, also where it came mapped into IPv6. */
void peer_address_name(const struct sockaddr *peer, char *ret, size_t size);
