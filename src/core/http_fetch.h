/* http_fetch.h - GET a whole small document, within a size and a time.
 *
 * Calling sequence: http_fetch_start -> done, once; or http_fetch_cancel before it, and then no
 * callback comes. The fetch frees itself either way.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/http_client.h"

struct http_fetch;

struct http_fetch_result {
	struct span body;      /* valid during done */
	int64_t retry_after_s; /* -1 = not asked for */
	struct err err;        /* code is 0 if the document came whole, with status 200 */
};

/* The fetch is gone when it returns. */
typedef void (*http_fetch_done_cb)(struct http_fetch *fetch, const struct http_fetch_result *result,
				   void *owner);

/* access is borrowed until done. A document of more than max_bytes is refused as soon as that is
 * known; one that is not there after timeout_ms, however slowly it comes, too. -ENOMEM. */
int http_fetch_start(struct http_fetch **ret, struct http_client *client, uv_loop_t *loop,
		     const char *url, const struct http_access *access, size_t max_bytes,
		     uint64_t timeout_ms, http_fetch_done_cb done, void *owner);
void http_fetch_cancel(struct http_fetch *fetch);
