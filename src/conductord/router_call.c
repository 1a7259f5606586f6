/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/router_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "conductor/tunnels/tunnels.h"
#include "http/http_fetch.h"
#include "node/node.h"

#define ANSWER_MAX ((size_t)1 << 20)

static const struct http_access no_access = {.connect_timeout_s = 10};

/*      the helper gives a connection        it answers, or time is over
 *  CONNECTING ───────────────────▶ ASKING ───────────────────────▶ OVER
 *       └──── it has none, or time is over ────────────────────────▲
 */
enum call_state {
	CALL_CONNECTING,
	CALL_ASKING,
	CALL_OVER, /* done was called; the call is freed once its timer is closed and the helper has
		      answered */
};

struct router_call {
	enum call_state state;
	struct router_calls *calls;
	struct router_call *next; /* the list of calls that are not over */
	struct tunnels_request request;
	bool is_requested; /* the helper has not answered yet */
	struct http_fetch *fetch;
	uv_timer_t timer;
	bool has_timer;
	uint64_t timeout_ms;
	char method[8];
	char *url;
	char *body;
	router_call_cb done;
	void *owner;
};

static void free_call(struct router_call *call)
{
	free(call->url);
	free(call->body);
	free(call);
}

static void free_if_let_go(struct router_call *call)
{
	if (!call->is_requested && !call->has_timer)
		free_call(call);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct router_call *call = container_of((uv_timer_t *)handle, struct router_call, timer);

	call->has_timer = false;
	free_if_let_go(call);
}

static void end_call(struct router_call *call, const struct router_answer *answer)
{
	struct node *node = call->calls->node;
	struct router_call **at = &call->calls->first;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	call->state = CALL_OVER;
	uv_close((uv_handle_t *)&call->timer, on_timer_closed);
	call->done(call->owner, answer);
	node_job_ends(node);
}

static void fail_call(struct router_call *call, int code, const char *reason)
{
	struct router_answer answer = {0};

	(void)err_set(&answer.err, code, "%s", reason);
	end_call(call, &answer);
}

static void on_fetched(struct http_fetch *fetch, const struct http_fetch_result *result,
		       void *owner)
{
	const struct router_answer answer = {
		.status = result->err.code < 0 ? 0 : result->status,
		.body = result->body,
		.err = result->err,
	};

	(void)fetch;
	end_call(owner, &answer);
}

static void ask_router(struct router_call *call, int fd)
{
	struct node *node = call->calls->node;
	const struct http_ask ask = {
		.url = call->url,
		.access = &no_access,
		.max_bytes = ANSWER_MAX,
		.timeout_ms = 2 * call->timeout_ms, /* our own timer ends the call earlier */
		.method = call->method,
		.body = span_of_string(call->body),
		.socket = fd,
		.any_status = true,
	};

	call->state = CALL_ASKING;
	if (http_fetch_start(&call->fetch, node->client, &node->loop, &ask, on_fetched, call) < 0)
		fail_call(call, -ENOMEM, "out of memory");
}

static void on_connected(struct tunnels_request *request, int fd)
{
	struct router_call *call = container_of(request, struct router_call, request);

	call->is_requested = false;
	if (call->state == CALL_OVER) {
		if (fd >= 0)
			(void)close(fd);
		free_if_let_go(call);
	} else if (fd < 0) {
		fail_call(call, fd,
			  fd == -ECONNREFUSED ? ROUTER_NOT_CONNECTED
					      : "its tunnel cannot be reached");
	} else {
		ask_router(call, fd);
	}
}

/* Time is over. This is also used when the conductor stops, without delay. */
static void on_timer(uv_timer_t *timer)
{
	struct router_call *call = container_of(timer, struct router_call, timer);
	const bool stops = call->calls->node->stopping;
	const int code = stops ? -ECANCELED : -ETIMEDOUT;
	char reason[128];

	if (stops)
		(void)snprintf(reason, sizeof(reason), "this conductor stops");
	else
		(void)snprintf(reason, sizeof(reason), "no answer within %llu s: %s",
			       (unsigned long long)(call->timeout_ms / 1000),
			       call->state == CALL_ASKING ? "its line, or its stewardd, hangs"
							  : "the tunnels' helper hangs");
	if (call->state == CALL_ASKING)
		http_fetch_give_up(call->fetch, code, reason);
	else
		fail_call(call, code, reason);
}

static struct router_call *make_call(const struct router_ask *ask)
{
	struct router_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	(void)snprintf(call->method, sizeof(call->method), "%s", ask->method);
	call->body = strdup(ask->body ? ask->body : "");
	if (asprintf(&call->url, "http://127.0.0.1%s", ask->path) < 0)
		call->url = NULL;
	if (!call->body || !call->url) {
		free_call(call);
		return NULL;
	}
	return call;
}

int router_call_start(struct router_calls *calls, const struct router_ask *ask, router_call_cb done,
		      void *owner)
{
	struct node *node = calls->node;
	struct router_call *call = make_call(ask);

	if (!call)
		return -ENOMEM;
	call->calls = calls;
	call->done = done;
	call->owner = owner;
	call->timeout_ms = ask->timeout_ms;
	call->next = calls->first;
	calls->first = call;
	node_job_begins(node);
	call->has_timer = true;
	(void)uv_timer_init(&node->loop, &call->timer);
	(void)uv_timer_start(&call->timer, on_timer, node->stopping ? 0 : ask->timeout_ms, 0);
	if (node->stopping)
		return 0;
	call->is_requested = true;
	tunnels_connect(calls->tunnels, &call->request, ask->listen_port, on_connected);
	return 0;
}

void router_calls_stop(struct router_calls *calls)
{
	for (struct router_call *call = calls->first; call; call = call->next)
		(void)uv_timer_start(&call->timer, on_timer, 0, 0);
}
