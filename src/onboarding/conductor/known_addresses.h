/* known_addresses.h - from where routers logged in lately: they come before strangers (turns).
 *
 * An address stays known for KNOWN_ADDRESSES_DAYS. It is no secret, and proves nothing: who comes
 * from it waits less, and has to log in as anybody has to.
 *
 * A table of fixed size, at places that a stranger cannot foresee; where it is full, who was not
 * here for longest is forgotten. Its text form is a line for each, the address and the day (of
 * CLOCK_REALTIME); what in it is no such line is left out.
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
/* Of the text form. */
#define KNOWN_ADDRESSES_LINE     (INET6_ADDRSTRLEN + 12)
#define KNOWN_ADDRESSES_TEXT_MAX ((size_t)KNOWN_ADDRESSES_MAX * KNOWN_ADDRESSES_LINE)

struct known_addresses;

/* NULL = no memory. */
struct known_addresses *known_addresses_new(uint64_t seed);
void known_addresses_free(struct known_addresses *k);

/* Somebody logged in from there. Returns whether that is news, which are to be kept. */
bool known_addresses_add(struct known_addresses *k, const struct sockaddr *peer, uint32_t day);

bool known_addresses_has(const struct known_addresses *k, const struct sockaddr *peer,
			 uint32_t day);

/* Zero-terminated, the caller's; without those that are not known any more. NULL = no memory. */
char *known_addresses_write(const struct known_addresses *k, uint32_t day);
/* Adds. text is cut to pieces. */
void known_addresses_read(struct known_addresses *k, char *text, uint32_t day);

uint32_t known_addresses_today(void);
