/* peer_address.h - whom a connection is counted to: IPv4 as IPv6 maps it, of IPv6 the /64, which is
 * what one customer of a provider has. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct peer_address {
	uint64_t words[2]; /* in the network's order */
};

#define PEER_ADDRESS_TEXT_SIZE INET6_ADDRSTRLEN

/* Returns false for what is neither IPv4 nor IPv6. */
bool peer_address_read(const struct sockaddr *peer, struct peer_address *ret);

/* As inet_ntop(3) writes it; and back: false where it is none, or one that is never counted to. */
void peer_address_write(const struct peer_address *address, char ret[PEER_ADDRESS_TEXT_SIZE]);
bool peer_address_parse(const char *text, struct peer_address *ret);

bool peer_address_equals(const struct peer_address *a, const struct peer_address *b);

/* For a table: with a random seed a stranger cannot choose a place in it. */
uint64_t peer_address_hash(const struct peer_address *address, uint64_t seed);
