/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_reach.h - how libcurl gets its connections: it names the server, we connect.
 *
 * libcurl resolves the name and asks for a socket to the first address. It gets none, and the
 * request is taken back from it. We try the server's addresses (http_connect.h), and give libcurl
 * the request again: this time it gets a socket that is already connected, to the address that
 * answered. If libcurl has kept a connection, nothing of this is needed. A redirect to another
 * server begins the request again.
 *
 * If an address was reached but fails before its reply (TLS), or answers 5xx, it is not tried
 * first again for a while; if there are other addresses, they are tried at once.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "http/http_addresses.h"

/* How many sockets a request may need: a redirect leads to another server at most so often. */
#define READY_MAX       6u
#define CONNECTIONS_MAX 24u /* of a request: addresses of several servers may fail, one by one */

/* If another address can be tried, a server whose TLS does not answer gets this long, or eight
 * times what its TCP connection took. */
#define TLS_PATIENCE_MS 1000u

struct ready_socket {
	int fd; /* 0 = nothing here */
	char host[256];
	struct http_address address;
	uint64_t took_ms;
};

struct http_reach {
	CURL *easy;
	const char *proxy; /* NULL = none */
	void (*wanted)(void *owner);
	void *owner;

	char host[256];                      /* that libcurl asked for last */
	struct http_address_list named;      /* the addresses it asked for, in vain */
	struct http_address_list candidates; /* all of that host */
	struct http_address_list failed;     /* in this request */
	struct ready_socket ready[READY_MAX];
	struct http_address current; /* whose socket libcurl has; size 0 = none of ours */
	unsigned n_connections;

	/* Whom libcurl was given sockets to since it began, and how many it lacks to the host that
	 * it asked for last. A server that closes each connection needs one for each of its
	 * redirects. */
	struct ready_socket given[READY_MAX];
	unsigned n_given;
	unsigned n_lacking;
};

struct http_reach_need {
	struct http_address_list list;
	const char *host; /* others of it are to be found; NULL = these are all */
};

/* wanted comes when libcurl needs a connection, from inside of it: later, ask
 * http_reach_wants_more. proxy is borrowed. */
void http_reach_set_up(struct http_reach *reach, CURL *easy, const char *proxy,
		       void (*wanted)(void *owner), void *owner);
void http_reach_release(struct http_reach *reach);

/* Before libcurl is asked, each time. timeout_ms: of the connection, TLS included. */
void http_reach_begin(struct http_reach *reach, const struct http_failures *failures,
		      uint64_t timeout_ms, uint64_t now_ms);

/* One of list answered. */
void http_reach_take(struct http_reach *reach, int fd, const struct http_address *address,
		     const struct http_address_list *list, uint64_t took_ms);

/* Are further connections needed before libcurl begins again? To ret. */
bool http_reach_lacks(const struct http_reach *reach, struct http_reach_need *ret);

/* Did libcurl end, or is it to be ended, only for want of a socket or of a better address? */
bool http_reach_wants_more(struct http_reach *reach, CURLcode code, bool replied,
			   struct http_failures *failures, uint64_t now_ms,
			   struct http_reach_need *ret);
