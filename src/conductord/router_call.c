#include "conductord/router_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/macros.h"

#define ANSWER_MAX ((size_t)4 << 20)
#define TIMEOUT_MS 30000

static const struct http_access no_access = {.connect_timeout_s = 10};

struct router_call {
	struct conductor *conductor;
	struct tunnels_request request;
	struct http_fetch *fetch;
	char method[8];
	char *url;
	char *body;
	router_call_cb done;
	void *owner;
};

static void end(struct router_call *call, const struct router_answer *answer)
{
	struct conductor *c = call->conductor;

	call->done(call->owner, answer);
	free(call->url);
	free(call->body);
	free(call);
	node_job_ends(&c->node);
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
	end(owner, &answer);
}

static void fail(struct router_call *call, int code)
{
	struct router_answer answer = {0};

	(void)err_set(&answer.err, code,
		      code == -ECONNREFUSED ? "it is not connected"
					    : "its tunnel cannot be reached");
	end(call, &answer);
}

static void on_connected(struct tunnels_request *request, int fd)
{
	struct router_call *call = container_of(request, struct router_call, request);
	const struct http_ask ask = {
		.url = call->url,
		.access = &no_access,
		.max_bytes = ANSWER_MAX,
		.timeout_ms = TIMEOUT_MS,
		.method = call->method,
		.body = span_of_string(call->body),
		.socket = fd,
		.any_status = true,
	};

	if (fd < 0)
		fail(call, fd);
	else if (http_fetch_start(&call->fetch, call->conductor->node.client,
				  &call->conductor->node.loop, &ask, on_fetched, call) < 0)
		fail(call, -ENOMEM);
}

int router_call_start(struct conductor *c, uint16_t listen_port, const char *method,
		      const char *path, const char *body, router_call_cb done, void *owner)
{
	struct router_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	call->conductor = c;
	call->done = done;
	call->owner = owner;
	(void)snprintf(call->method, sizeof(call->method), "%s", method);
	call->body = strdup(body ? body : "");
	if (!call->body || asprintf(&call->url, "http://127.0.0.1%s", path) < 0) {
		free(call->body);
		free(call);
		return -ENOMEM;
	}
	node_job_begins(&c->node);
	tunnels_connect(&c->tunnels, &call->request, listen_port, on_connected);
	return 0;
}
