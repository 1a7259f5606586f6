/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/macros.h"
#include "http/http_s3_error.h"

#define FIRST_ROOM (16u << 10)

struct http_fetch {
	struct http_client *client;
	struct http_request *request; /* NULL = has ended, or not begun */
	uv_timer_t timer;
	struct http_ask ask;
	char *url; /* kept until it is asked for; NULL = it was */
	uint8_t *bytes;
	size_t size;
	size_t room;
	struct http_fetch_result result;
	bool refused;            /* what comes says why, and is not the document */
	http_fetch_done_cb done; /* NULL = cancelled */
	void *owner;
};

static void on_timer_closed(uv_handle_t *handle)
{
	struct http_fetch *fetch = container_of(handle, struct http_fetch, timer);

	if (fetch->done)
		fetch->done(fetch, &fetch->result, fetch->owner);
	free(fetch->url);
	free(fetch->bytes);
	free(fetch);
}

static int refuse_body(struct http_fetch *fetch, int code)
{
	return err_set(&fetch->result.err, code, "longer than the %zu bytes allowed",
		       fetch->ask.max_bytes);
}

/* Has libcurl decoded this body? It does for the encodings that it was built with. */
static bool is_decoded(const struct http_head *head)
{
	static const char *const known[] = {"gzip", "x-gzip", "deflate", "br", "zstd"};

	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (strcasecmp(head->encoding, known[i]) == 0)
			return true;
	return false;
}

static int on_headers(struct http_request *request, const struct http_head *head, void *owner)
{
	struct http_fetch *fetch = owner;
	struct err *err = &fetch->result.err;

	(void)request;
	fetch->result.status = head->status;
	fetch->result.retry_after_s = head->retry_after_s;
	fetch->result.is_page = head->is_html;
	if (head->status == 511 && !fetch->ask.any_status)
		return err_set(err, -EPROTO, "%s", HTTP_HEAD_511);
	if (head->status != 200 && !fetch->ask.any_status) {
		(void)err_set(err, -EPROTO, "HTTP %d", head->status);
		fetch->refused = fetch->ask.access->s3_region != NULL;
		return fetch->refused ? 0 : err->code;
	}
	if (head->encoded && !is_decoded(head))
		return err_set(err, -EPROTO, "Content-Encoding %s, expected none", head->encoding);
	if (head->has_length && head->length > fetch->ask.max_bytes)
		return refuse_body(fetch, -E2BIG);
	return 0;
}

static int make_room(struct http_fetch *fetch, size_t needed)
{
	size_t room = fetch->room ? fetch->room : FIRST_ROOM;
	uint8_t *larger;

	while (room < needed)
		room *= 2;
	if (room == fetch->room)
		return 0;
	larger = realloc(fetch->bytes, room);
	if (!larger)
		return err_set(&fetch->result.err, -ENOMEM, "out of memory");
	fetch->bytes = larger;
	fetch->room = room;
	return 0;
}

/* Keeps the beginning of what a store says of its refusal. */
static int take_refusal(struct http_fetch *fetch, struct span bytes)
{
	size_t n = MIN(bytes.size, HTTP_S3_ERROR_SIZE_MAX - fetch->size);
	struct err err = fetch->result.err;

	if (make_room(fetch, fetch->size + n) < 0) {
		fetch->result.err = err;
		return err.code;
	}
	memcpy(fetch->bytes + fetch->size, bytes.bytes, n);
	fetch->size += n;
	return fetch->size < HTTP_S3_ERROR_SIZE_MAX ? 0 : err.code;
}

static int on_body(struct http_request *request, struct span bytes, void *owner)
{
	struct http_fetch *fetch = owner;
	int rc;

	(void)request;
	if (fetch->refused)
		return take_refusal(fetch, bytes);
	if (bytes.size > fetch->ask.max_bytes - fetch->size)
		return refuse_body(fetch, -E2BIG);
	rc = make_room(fetch, fetch->size + bytes.size);
	if (rc < 0)
		return rc;
	memcpy(fetch->bytes + fetch->size, bytes.bytes, bytes.size);
	fetch->size += bytes.size;
	return 0;
}

/* An HTML page begins so; neither a JSON document nor a JWS does. */
static void take_body(struct http_fetch *fetch)
{
	size_t at = 0;

	while (at < fetch->size && strchr(" \t\r\n", fetch->bytes[at]) && fetch->bytes[at])
		at++;
	fetch->result.is_page |= at < fetch->size && fetch->bytes[at] == '<';
	fetch->result.body = span_of(fetch->bytes, fetch->size);
}

static void on_request_done(struct http_request *request, const struct http_result *result,
			    void *owner)
{
	struct http_fetch *fetch = owner;

	(void)request;
	fetch->request = NULL;
	fetch->result.unreached = result->status == 0 && (result->outcome == HTTP_CONNECT_FAILED ||
							  result->outcome == HTTP_CUT);
	if (fetch->refused)
		http_s3_error_tell(span_of(fetch->bytes, fetch->size), &fetch->result.err);
	else if (result->outcome == HTTP_DONE)
		take_body(fetch);
	else if (result->outcome != HTTP_ABORTED && result->outcome != HTTP_CANCELLED)
		fetch->result.err = result->err;
	uv_close((uv_handle_t *)&fetch->timer, on_timer_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	struct http_fetch *fetch = container_of(timer, struct http_fetch, timer);

	(void)err_set(&fetch->result.err, -ETIMEDOUT, "no complete answer within %llu s",
		      (unsigned long long)(fetch->ask.timeout_ms / 1000));
	http_request_cancel(fetch->request);
}

static const struct http_request_callbacks callbacks = {
	.headers = on_headers,
	.body = on_body,
	.done = on_request_done,
};

static int ask_for(struct http_fetch *fetch, const char *url)
{
	struct http_get get = {
		.url = url,
		.access = fetch->ask.access,
		.callbacks = callbacks,
		.caching = fetch->ask.caching,
		.decode = true,
		.owner = fetch,
		.method = fetch->ask.method,
		.body = fetch->ask.body,
		.socket = fetch->ask.socket,
		.closes = fetch->ask.closes,
	};

	return http_client_get(fetch->client, &get, &fetch->request);
}

static void on_due(uv_timer_t *timer)
{
	struct http_fetch *fetch = container_of(timer, struct http_fetch, timer);

	if (ask_for(fetch, fetch->url) < 0) {
		(void)err_set(&fetch->result.err, -ENOMEM, "out of memory");
		uv_close((uv_handle_t *)timer, on_timer_closed);
		return;
	}
	(void)uv_timer_start(timer, on_timeout, fetch->ask.timeout_ms, 0);
}

static int begin_fetch(struct http_fetch *fetch, const char *url)
{
	if (fetch->ask.after_ms == 0)
		return ask_for(fetch, url);
	fetch->url = strdup(url);
	return fetch->url ? 0 : -ENOMEM;
}

int http_fetch_start(struct http_fetch **ret, struct http_client *client, uv_loop_t *loop,
		     const struct http_ask *ask, http_fetch_done_cb done, void *owner)
{
	struct http_fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch) {
		fetch->client = client;
		fetch->ask = *ask;
		fetch->ask.url = NULL; /* the caller's */
		fetch->result.retry_after_s = -1;
		fetch->done = done;
		fetch->owner = owner;
	}
	if (!fetch || begin_fetch(fetch, ask->url) < 0) {
		if (ask->socket > 0)
			(void)close(ask->socket);
		free(fetch);
		return -ENOMEM;
	}
	(void)uv_timer_init(loop, &fetch->timer);
	if (ask->after_ms > 0)
		(void)uv_timer_start(&fetch->timer, on_due, ask->after_ms, 0);
	else
		(void)uv_timer_start(&fetch->timer, on_timeout, ask->timeout_ms, 0);
	*ret = fetch;
	return 0;
}

/* The fetch had not begun, so there is no request whose end would close it. */
static void end_early(struct http_fetch *fetch)
{
	if (!uv_is_closing((uv_handle_t *)&fetch->timer))
		uv_close((uv_handle_t *)&fetch->timer, on_timer_closed);
}

void http_fetch_give_up(struct http_fetch *fetch, int code, const char *reason)
{
	if (uv_is_closing((uv_handle_t *)&fetch->timer))
		return;
	(void)err_set(&fetch->result.err, code, "%s", reason);
	if (fetch->request)
		http_request_cancel(fetch->request);
	else
		end_early(fetch);
}

void http_fetch_cancel(struct http_fetch *fetch)
{
	fetch->done = NULL;
	if (fetch->request)
		http_request_cancel(fetch->request);
	else
		end_early(fetch);
}
