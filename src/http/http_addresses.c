/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

uint16_t http_address_port(const struct http_address *a)
{
	if (a->place.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&a->place)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&a->place)->sin_port);
}

void http_address_set_port(struct http_address *a, uint16_t port)
{
	if (a->place.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a->place)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&a->place)->sin_port = htons(port);
}

bool http_address_is(const struct http_address *a, const struct http_address *b)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->place;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)&b->place;
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)&a->place;
	const struct sockaddr_in *b4 = (const struct sockaddr_in *)&b->place;

	if (a->place.ss_family != b->place.ss_family ||
	    http_address_port(a) != http_address_port(b))
		return false;
	if (a->place.ss_family == AF_INET6)
		return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0 &&
		       a6->sin6_scope_id == b6->sin6_scope_id;
	return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

void http_address_text(const struct http_address *a, char *ret, size_t size)
{
	char ip[INET6_ADDRSTRLEN] = "?";
	const void *from =
		a->place.ss_family == AF_INET6
			? (const void *)&((const struct sockaddr_in6 *)&a->place)->sin6_addr
			: (const void *)&((const struct sockaddr_in *)&a->place)->sin_addr;

	(void)inet_ntop(a->place.ss_family, from, ip, sizeof(ip));
	(void)snprintf(ret, size, "%s port %u", ip, (unsigned)http_address_port(a));
}

bool http_addresses_have(const struct http_address_list *list, const struct http_address *address)
{
	for (unsigned i = 0; i < list->n; i++)
		if (http_address_is(&list->items[i], address))
			return true;
	return false;
}

void http_addresses_add(struct http_address_list *list, const struct http_address *address)
{
	if (list->n < ADDRESSES_MAX && !http_addresses_have(list, address))
		list->items[list->n++] = *address;
}

/* Returns the place of this address, or the place that is free soonest. */
static unsigned place_for(const struct http_failures *f, const struct http_address *address)
{
	unsigned best = 0;

	for (unsigned i = 0; i < ADDRESSES_REMEMBERED; i++) {
		if (f->items[i].until_ms > 0 && http_address_is(&f->items[i].address, address))
			return i;
		if (f->items[i].until_ms < f->items[best].until_ms)
			best = i;
	}
	return best;
}

void http_failures_add(struct http_failures *f, const struct http_address *address, uint64_t now_ms)
{
	unsigned at = place_for(f, address);

	f->items[at].address = *address;
	f->items[at].until_ms = now_ms + ADDRESS_REST_MS;
}

void http_failures_remove(struct http_failures *f, const struct http_address *address)
{
	unsigned at = place_for(f, address);

	if (http_address_is(&f->items[at].address, address))
		f->items[at].until_ms = 0;
}

bool http_failures_have(const struct http_failures *f, const struct http_address *address,
			uint64_t now_ms)
{
	unsigned at = place_for(f, address);

	return f->items[at].until_ms > now_ms && http_address_is(&f->items[at].address, address);
}

/* Finds the next address of this family (or of any) that has failed, or has not, as asked.
 * Returns n if there is none. */
static unsigned find(const struct http_address_list *list, const bool *taken, const bool *failed,
		     int family, bool want_failed)
{
	for (unsigned i = 0; i < list->n; i++)
		if (!taken[i] && failed[i] == want_failed &&
		    (family == AF_UNSPEC || list->items[i].place.ss_family == family))
			return i;
	return list->n;
}

void http_addresses_sort(struct http_address_list *list, const struct http_failures *f,
			 uint64_t now_ms)
{
	struct http_address_list sorted = {.n = 0};
	bool taken[ADDRESSES_MAX] = {false};
	bool failed[ADDRESSES_MAX];
	int family = list->n > 0 ? list->items[0].place.ss_family : AF_UNSPEC;

	for (unsigned i = 0; i < list->n; i++)
		failed[i] = http_failures_have(f, &list->items[i], now_ms);
	while (sorted.n < list->n) {
		bool all_failed = find(list, taken, failed, AF_UNSPEC, false) == list->n;
		unsigned next = find(list, taken, failed, family, all_failed);

		if (next == list->n)
			next = find(list, taken, failed, AF_UNSPEC, all_failed);
		taken[next] = true;
		sorted.items[sorted.n++] = list->items[next];
		family = list->items[next].place.ss_family == AF_INET6 ? AF_INET : AF_INET6;
	}
	*list = sorted;
}
