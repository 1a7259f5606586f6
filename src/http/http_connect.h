/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_connect.h - a connection to the first of a server's addresses that answers.
 *
 * RFC 8305, section 5: the next address is tried 250 ms after the one before, or at once when that
 * has failed; the first that answers is taken, and the others are dropped. libcurl's own way tries
 * further addresses of one family only after half of the time has passed, and with its socket
 * interface (7.88) not even then.
 *
 * Calling sequence: http_connect_start -> done, once, never inside it; or http_connect_cancel, and
 * no callback comes but closed. It frees itself, and says so by closed.
 */
#pragma once

#include <uv.h>

#include "base/err.h"
#include "http/http_addresses.h"

#define CONNECT_NEXT_MS 250u

struct http_connect;

struct http_connect_result {
	int fd;                               /* the caller's; -1 = nobody answered */
	struct http_address address;          /* of that */
	uint64_t took_ms;                     /* the handshake */
	const struct http_address_list *list; /* that were tried, or would have been */
	struct err err;
};

struct http_connect_callbacks {
	void (*done)(struct http_connect *c, const struct http_connect_result *result, void *owner);
	void (*closed)(void *closed_owner);
	void *owner;
	void *closed_owner;
};

/* list, with at least one address, is copied; those of host join it, unless that is NULL. They are
 * sorted by failures, which is told what came of it. -ENOMEM. */
int http_connect_start(struct http_connect **ret, uv_loop_t *loop,
		       const struct http_address_list *list, const char *host,
		       struct http_failures *failures, uint64_t timeout_ms,
		       const struct http_connect_callbacks *callbacks);
void http_connect_cancel(struct http_connect *c);
