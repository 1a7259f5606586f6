/* http_reach.h - how libcurl comes to its connections: it says where to, we connect.
 *
 * libcurl resolves the name and asks for a socket to the first address. It gets none. The request
 * is taken from it, the server's addresses are tried (http_connect.h), and it is asked again: this
 * time it gets a socket that is connected already, to whichever address answered. Where it has kept
 * a connection, it needs none of this. A redirect to another server begins the request once more.
 *
 * An address that was reached but fails before its reply (TLS), or says 5xx, is not the first again
 * for a while; where there are others, these are tried at once.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "http/http_addresses.h"

/* A redirect leads at most so often elsewhere, and each may need a socket. */
#define READY_MAX       6u
#define CONNECTIONS_MAX 24u /* of a request: addresses of several servers may fail, one by one */

/* A server whose TLS does not answer: where another address may be tried, it gets this long, or
 * eight times what its TCP took. */
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

/* Did libcurl end, or is it to be ended, only for want of a socket or of a better address? */
bool http_reach_wants_more(struct http_reach *reach, CURLcode code, bool replied,
			   struct http_failures *failures, uint64_t now_ms,
			   struct http_reach_need *ret);
