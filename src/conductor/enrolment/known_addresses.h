/* SPDX-License-Identifier: GPL-3.0-or-later */
/* known_addresses.h - the addresses from which routers logged in lately: they have their turn
 * before strangers (turns).
 *
 * An address stays known for KNOWN_ADDRESSES_DAYS. That is no secret and proves nothing: a peer
 * from a known address waits less, but has to log in like any other.
 *
 * The table has a fixed size, and a stranger cannot predict the place of an address in it. If
 * there is no room, the address that was not used for longest is forgotten. The text form has a
 * line for each address, with the day (of CLOCK_REALTIME); lines that are malformed are skipped.
 *
 * Pure but for known_addresses_today().
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define KNOWN_ADDRESSES_DAYS     30
#define KNOWN_ADDRESSES_MAX      65536 /* more than there are ports for tunnels */
/* The longest line of the text form, and the longest text. */
#define KNOWN_ADDRESSES_LINE     (INET6_ADDRSTRLEN + 12)
#define KNOWN_ADDRESSES_TEXT_MAX ((size_t)KNOWN_ADDRESSES_MAX * KNOWN_ADDRESSES_LINE)

struct known_addresses;

/* NULL = no memory. */
struct known_addresses *known_addresses_new(uint64_t seed);
void known_addresses_free(struct known_addresses *k);

/* A router logged in from this address. Returns whether that is new and should be saved. */
bool known_addresses_add(struct known_addresses *k, const struct sockaddr *peer, uint32_t day);

bool known_addresses_has(const struct known_addresses *k, const struct sockaddr *peer,
			 uint32_t day);

/* Zero-terminated text, freed by the caller, without addresses that are no longer known. NULL =
 * no memory. */
char *known_addresses_write(const struct known_addresses *k, uint32_t day);
/* Adds the addresses in text, which is modified. */
void known_addresses_read(struct known_addresses *k, char *text, uint32_t day);

uint32_t known_addresses_today(void);
