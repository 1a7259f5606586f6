#include "core/http_fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/macros.h"

#define FIRST_ROOM (16u << 10)

struct http_fetch {
	struct http_request *request; /* NULL = has ended */
	uv_timer_t timer;
	uint64_t timeout_ms;
	bool any_status;
	size_t max_bytes;
	uint8_t *bytes;
	size_t size;
	size_t room;
	struct http_fetch_result result;
	http_fetch_done_cb done; /* NULL = cancelled */
	void *owner;
};

static void on_timer_closed(uv_handle_t *handle)
{
	struct http_fetch *fetch = container_of(handle, struct http_fetch, timer);

	if (fetch->done)
		fetch->done(fetch, &fetch->result, fetch->owner);
	free(fetch->bytes);
	free(fetch);
}

static int refuse(struct http_fetch *fetch, int code)
{
	return err_set(&fetch->result.err, code, "longer than the %zu bytes allowed",
		       fetch->max_bytes);
}

static int on_headers(struct http_request *request, const struct http_head *head, void *owner)
{
	struct http_fetch *fetch = owner;
	struct err *err = &fetch->result.err;

	(void)request;
	fetch->result.status = head->status;
	fetch->result.retry_after_s = head->retry_after_s;
	if (head->status != 200 && !fetch->any_status)
		return err_set(err, -EPROTO, "HTTP %d", head->status);
	if (head->encoded)
		return err_set(err, -EPROTO, "Content-Encoding %s, expected none", head->encoding);
	if (head->has_length && head->length > fetch->max_bytes)
		return refuse(fetch, -E2BIG);
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

static int on_body(struct http_request *request, struct span bytes, void *owner)
{
	struct http_fetch *fetch = owner;
	int rc;

	(void)request;
	if (bytes.size > fetch->max_bytes - fetch->size)
		return refuse(fetch, -E2BIG);
	rc = make_room(fetch, fetch->size + bytes.size);
	if (rc < 0)
		return rc;
	memcpy(fetch->bytes + fetch->size, bytes.bytes, bytes.size);
	fetch->size += bytes.size;
	return 0;
}

static void on_done(struct http_request *request, const struct http_result *result, void *owner)
{
	struct http_fetch *fetch = owner;

	(void)request;
	fetch->request = NULL;
	if (result->outcome == HTTP_DONE)
		fetch->result.body = span_of(fetch->bytes, fetch->size);
	else if (result->outcome != HTTP_ABORTED && result->outcome != HTTP_CANCELLED)
		fetch->result.err = result->err;
	uv_close((uv_handle_t *)&fetch->timer, on_timer_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	struct http_fetch *fetch = container_of(timer, struct http_fetch, timer);

	(void)err_set(&fetch->result.err, -ETIMEDOUT, "no complete answer within %llu s",
		      (unsigned long long)(fetch->timeout_ms / 1000));
	http_request_cancel(fetch->request);
}

static const struct http_request_callbacks callbacks = {
	.headers = on_headers,
	.body = on_body,
	.done = on_done,
};

int http_fetch_start(struct http_fetch **ret, struct http_client *client, uv_loop_t *loop,
		     const struct http_ask *ask, http_fetch_done_cb done, void *owner)
{
	struct http_fetch *fetch = calloc(1, sizeof(*fetch));
	struct http_get get = {
		.url = ask->url,
		.access = ask->access,
		.callbacks = callbacks,
		.owner = fetch,
		.method = ask->method,
		.body = ask->body,
		.socket = ask->socket,
	};

	if (!fetch || http_client_get(client, &get, &fetch->request) < 0) {
		if (ask->socket > 0)
			(void)close(ask->socket);
		free(fetch);
		return -ENOMEM;
	}
	fetch->timeout_ms = ask->timeout_ms;
	fetch->max_bytes = ask->max_bytes;
	fetch->any_status = ask->any_status;
	fetch->result.retry_after_s = -1;
	fetch->done = done;
	fetch->owner = owner;
	(void)uv_timer_init(loop, &fetch->timer);
	(void)uv_timer_start(&fetch->timer, on_timeout, ask->timeout_ms, 0);
	*ret = fetch;
	return 0;
}

void http_fetch_give_up(struct http_fetch *fetch, int code, const char *reason)
{
	if (!fetch->request)
		return;
	(void)err_set(&fetch->result.err, code, "%s", reason);
	http_request_cancel(fetch->request);
}

void http_fetch_cancel(struct http_fetch *fetch)
{
	fetch->done = NULL;
	if (fetch->request)
		http_request_cancel(fetch->request);
}
