/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/peer_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static void read_v6(const struct in6_addr *v6, struct peer_address *ret)
{
	memcpy(ret->words, v6, sizeof(ret->words));
	if (!IN6_IS_ADDR_V4MAPPED(v6))
		ret->words[1] = 0;
}

bool peer_address_read(const struct sockaddr *peer, struct peer_address *ret)
{
	struct in6_addr mapped = IN6ADDR_ANY_INIT;
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (peer->sa_family == AF_INET6) {
		memcpy(&v6, peer, sizeof(v6));
		read_v6(&v6.sin6_addr, ret);
		return true;
	}
	if (peer->sa_family != AF_INET)
		return false;
	memcpy(&v4, peer, sizeof(v4));
	memcpy(mapped.s6_addr + 12, &v4.sin_addr, 4);
	mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
	read_v6(&mapped, ret);
	return true;
}

void peer_address_write(const struct peer_address *address, char ret[PEER_ADDRESS_TEXT_SIZE])
{
	(void)inet_ntop(AF_INET6, address->words, ret, PEER_ADDRESS_TEXT_SIZE);
}

bool peer_address_parse(const char *text, struct peer_address *ret)
{
	struct in6_addr v6;
	struct peer_address read;

	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	read_v6(&v6, &read);
	if (memcmp(read.words, &v6, sizeof(v6)) != 0)
		return false;
	*ret = read;
	return true;
}

bool peer_address_equals(const struct peer_address *a, const struct peer_address *b)
{
	return memcmp(a->words, b->words, sizeof(a->words)) == 0;
}

/* splitmix64's finalizer. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t peer_address_hash(const struct peer_address *address, uint64_t seed)
{
	return mix(mix(address->words[0] ^ seed) ^ address->words[1]);
}

void peer_address_name(const struct sockaddr *peer, char *ret, size_t size)
{
	static const char mapped[] = "::ffff:";
	const socklen_t peer_size = peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
								: sizeof(struct sockaddr_in);

	if (getnameinfo(peer, peer_size, ret, (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
		(void)snprintf(ret, size, "unknown");
	if (strncmp(ret, mapped, strlen(mapped)) == 0)
		memmove(ret, ret + strlen(mapped), strlen(ret + strlen(mapped)) + 1);
}
