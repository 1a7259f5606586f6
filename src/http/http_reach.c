/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_reach.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

static bool address_of(const struct curl_sockaddr *from, struct http_address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if ((from->family != AF_INET && from->family != AF_INET6) ||
	    from->addrlen > sizeof(ret->place))
		return false;
	memcpy(&ret->place, &from->addr, from->addrlen);
	ret->size = from->addrlen;
	return true;
}

/* Notes to which host the connection goes: to the proxy, or to the server of the URL, redirects
 * followed. */
static void note_host(struct http_reach *reach)
{
	CURLU *parts = curl_url();
	char *url = NULL;
	char *host = NULL;

	(void)curl_easy_getinfo(reach->easy, CURLINFO_EFFECTIVE_URL, &url);
	if (parts && curl_url_set(parts, CURLUPART_URL, reach->proxy ? reach->proxy : url,
				  CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		(void)curl_url_get(parts, CURLUPART_HOST, &host, 0);
	(void)snprintf(reach->host, sizeof(reach->host), "%s", host ? host : "");
	curl_free(host);
	curl_url_cleanup(parts);
}

static bool is_to(const struct ready_socket *socket, const struct http_reach *reach,
		  const struct http_address *address)
{
	return strcmp(socket->host, reach->host) == 0 &&
	       http_address_port(&socket->address) == http_address_port(address);
}

/* libcurl will begin again, and need all those to this host once more. */
static unsigned count_lacking(const struct http_reach *reach, const struct http_address *address)
{
	unsigned n = 1;

	for (unsigned i = 0; i < reach->n_given; i++)
		n += is_to(&reach->given[i], reach, address);
	return MIN(n, READY_MAX);
}

static curl_socket_t give_socket(void *user, curlsocktype purpose, struct curl_sockaddr *from)
{
	struct http_reach *reach = user;
	struct http_address address;

	(void)purpose;
	if (!address_of(from, &address))
		return CURL_SOCKET_BAD;
	note_host(reach);
	for (unsigned i = 0; i < READY_MAX; i++) {
		struct ready_socket *ready = &reach->ready[i];
		int fd = ready->fd;

		if (fd == 0 || !is_to(ready, reach, &address))
			continue;
		if (reach->n_given < READY_MAX)
			reach->given[reach->n_given++] = *ready;
		ready->fd = 0;
		reach->current = ready->address;
		reach->named.n = 0;
		return fd;
	}
	http_addresses_add(&reach->named, &address);
	reach->n_lacking = count_lacking(reach, &address);
	reach->wanted(reach->owner);
	return CURL_SOCKET_BAD;
}

static int is_connected_already(void *user, curl_socket_t fd, curlsocktype purpose)
{
	(void)user;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

void http_reach_set_up(struct http_reach *reach, CURL *easy, const char *proxy,
		       void (*wanted)(void *owner), void *owner)
{
	reach->easy = easy;
	reach->proxy = proxy;
	reach->wanted = wanted;
	reach->owner = owner;
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, give_socket);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, reach);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, is_connected_already);
}

void http_reach_release(struct http_reach *reach)
{
	for (unsigned i = 0; i < READY_MAX; i++) {
		if (reach->ready[i].fd > 0)
			(void)close(reach->ready[i].fd);
		reach->ready[i].fd = 0;
	}
}

/* Is there an address that has not failed, beside this one? */
static bool has_alternative(const struct http_reach *reach, const struct http_address *to,
			    const struct http_failures *failures, uint64_t now_ms)
{
	for (unsigned i = 0; i < reach->candidates.n; i++) {
		const struct http_address *other = &reach->candidates.items[i];

		if (!http_address_is(other, to) && !http_addresses_have(&reach->failed, other) &&
		    !http_failures_have(failures, other, now_ms))
			return true;
	}
	return false;
}

void http_reach_begin(struct http_reach *reach, const struct http_failures *failures,
		      uint64_t timeout_ms, uint64_t now_ms)
{
	reach->named.n = 0;
	reach->current.size = 0;
	reach->n_given = 0;
	for (unsigned i = 0; i < READY_MAX; i++) {
		const struct ready_socket *ready = &reach->ready[i];
		uint64_t patience_ms = MAX(TLS_PATIENCE_MS, 8 * ready->took_ms);

		if (ready->fd > 0 && has_alternative(reach, &ready->address, failures, now_ms))
			timeout_ms = MIN(timeout_ms, patience_ms);
	}
	if (reach->easy)
		(void)curl_easy_setopt(reach->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
}

void http_reach_take(struct http_reach *reach, int fd, const struct http_address *address,
		     const struct http_address_list *list, uint64_t took_ms)
{
	struct ready_socket *ready = &reach->ready[0];

	for (unsigned i = 0; i < READY_MAX && ready->fd > 0; i++)
		ready = &reach->ready[i];
	if (ready->fd > 0)
		(void)close(ready->fd);
	ready->fd = fd;
	ready->address = *address;
	ready->took_ms = took_ms;
	memcpy(ready->host, reach->host, sizeof(ready->host));
	reach->candidates = *list;
	reach->n_lacking -= reach->n_lacking > 0;
}

bool http_reach_lacks(const struct http_reach *reach, struct http_reach_need *ret)
{
	ret->list = reach->candidates;
	ret->host = NULL;
	return reach->n_lacking > 0;
}

/* Did the request end before the address sent even the beginning of a reply? */
static bool is_address_to_blame(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
		return true;
	default:
		return false;
	}
}

bool http_reach_wants_more(struct http_reach *reach, CURLcode code, bool replied,
			   struct http_failures *failures, uint64_t now_ms,
			   struct http_reach_need *ret)
{
	ret->list.n = 0;
	ret->host = NULL;
	if (replied || !is_address_to_blame(code) || ++reach->n_connections > CONNECTIONS_MAX)
		return false;
	if (reach->named.n > 0) {
		ret->list = reach->named;
		ret->host = reach->host;
		return true;
	}
	if (reach->current.size == 0)
		return false;
	reach->n_lacking = 1;
	http_addresses_add(&reach->failed, &reach->current);
	http_failures_add(failures, &reach->current, now_ms);
	for (unsigned i = 0; i < reach->candidates.n; i++)
		if (!http_addresses_have(&reach->failed, &reach->candidates.items[i]))
			http_addresses_add(&ret->list, &reach->candidates.items[i]);
	return ret->list.n > 0;
}
