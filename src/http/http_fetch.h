/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_fetch.h - ask for a whole small document, within a size and a time.
 *
 * Calling sequence: http_fetch_start -> done, once; or http_fetch_cancel before it, and then no
 * callback comes. The fetch frees itself either way.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "http/http_client.h"

struct http_fetch;

struct http_ask {
	const char *url;                  /* copied */
	const struct http_access *access; /* borrowed until done */
	size_t max_bytes;                 /* a longer answer is refused as soon as that is known */
	uint64_t timeout_ms;              /* however slowly it comes */
	uint64_t after_ms;                /* it is not asked for before */
	const char *method;               /* NULL = GET */
	struct span body;                 /* borrowed until done */
	int socket;                       /* connected already, and taken; 0 = none */
	enum http_caching caching;
	bool any_status; /* else one that is not 200 is an error */
	bool closes;     /* its connection serves no other request after it */
};

struct http_fetch_result {
	int status;            /* 0 = no answer */
	bool is_page;          /* what came is HTML, by its type or its first byte */
	bool unreached;        /* no connection, or one that ended without an answer */
	struct span body;      /* valid during done */
	int64_t retry_after_s; /* -1 = not asked for */
	struct err err; /* code is 0 if the document came whole, with a status that is wanted */
};

/* The fetch is gone when it returns. */
typedef void (*http_fetch_done_cb)(struct http_fetch *fetch, const struct http_fetch_result *result,
				   void *owner);

/* -ENOMEM; the socket is closed then. */
int http_fetch_start(struct http_fetch **ret, struct http_client *client, uv_loop_t *loop,
		     const struct http_ask *ask, http_fetch_done_cb done, void *owner);
void http_fetch_cancel(struct http_fetch *fetch);
/* It is over now: done comes, later, with this error, unless the answer was there first. */
void http_fetch_give_up(struct http_fetch *fetch, int code, const char *reason);
