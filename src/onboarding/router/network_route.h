/* SPDX-License-Identifier: GPL-3.0-or-later */
/* network_route.h - which way the kernel sends what goes to an address: asked of rtnetlink(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Zeroed = no way leads there, or it could not be asked. Addresses are as in a packet: the first 4
 * bytes of an IPv4 address, all 16 of an IPv6 address. */
struct network_route {
	int family; /* AF_INET, AF_INET6 */
	uint32_t interface;
	uint8_t source[16];  /* what the packets are sent from */
	uint8_t gateway[16]; /* zeroes: it is on the link */
};

/* host: an address of IPv4 or IPv6, as inet_pton() reads it. For a name, which may not be resolved
 * before there is a network, it is the way to the world: to an address that nobody has. The kernel
 * answers at once. */
void network_route_find(const char *host, struct network_route *ret);

/* Finds the way once more. Returns whether it is another than route was. */
bool network_route_renew(const char *host, struct network_route *route);

/* Is the address that it sends from no longer one of this machine's? */
bool network_route_has_lost_its_source(const struct network_route *route);
