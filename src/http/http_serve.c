/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request as it comes in: judged by its head, its body taken or passed over, handled, answered.
 */
#include <stdlib.h>
#include <string.h>

#include "http/http_server_private.h"

/* Whoever still writes a body when the connection closes may lose the reply to a broken pipe. So
 * the body of a request that is refused is read all the same, so much of it. */
#define REFUSED_BODY_MAX (16u << 20)

static bool is_allowed(struct http_exchange *x)
{
	const struct http_listener *listener = &x->server->listener;
	gid_t groups[GROUPS_MAX];
	struct http_peer peer;

	if (!listener->allows)
		return true;
	http_peer_read(x->from->fd, &peer, groups);
	x->uid = peer.uid;
	if (listener->allows(listener->owner, &peer, x->route->change))
		return true;
	if (listener->refused)
		listener->refused(listener->owner, &peer, x->method, x->url);
	return false;
}

static enum MHD_Result queue_reply(struct http_exchange *x)
{
	enum MHD_Result rc = MHD_queue_response(x->connection, x->status, x->response);

	crowd_busy(x->server->crowd, &x->from->member);
	MHD_destroy_response(x->response);
	x->response = NULL;
	x->handled = true;
	return rc;
}

static size_t body_max(const struct http_exchange *x)
{
	return x->route->body_max ? x->route->body_max : HTTP_BODY_MAX;
}

static const char *header(const struct http_exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static uint64_t content_length(const struct http_exchange *x)
{
	const char *value = header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return value ? strtoull(value, NULL, 10) : 0;
}

/* Is the body read before the refusal is sent? Not if the client waits for "100 Continue", and
 * not if the body is too long. */
static bool reads_body_first(const struct http_exchange *x)
{
	if (header(x, MHD_HTTP_HEADER_EXPECT))
		return false;
	if (header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return true;
	return content_length(x) > 0 && content_length(x) <= REFUSED_BODY_MAX;
}

/* What the head of the request tells already: x->response is set if it is refused. */
static void judge_head(struct http_exchange *x, const char *method)
{
	char allow[64];
	unsigned refusal = http_exchange_route(x, allow);
	struct err err;

	if (refusal == 405) {
		http_reply_problem(x, 405, "%s is not for %s, only %s", method, x->url, allow);
		(void)MHD_add_response_header(x->response, "Allow", allow);
	} else if (refusal) {
		http_reply_problem(x, refusal, "there is no %s", x->url);
	} else if (!is_allowed(x)) {
		http_reply_problem(x, 403, "not allowed: %s %s needs %s", method, x->url,
				   x->route->change == HTTP_CHANGES
					   ? "root or a member of the control group"
					   : "a member of the read group");
	} else if (http_exchange_check_names(x, &err) < 0) {
		http_reply_problem(x, 400, "%s", err.text);
	} else if (!x->route->upload && content_length(x) > body_max(x)) {
		http_reply_problem(x, 413, "a body of more than %zu bytes", body_max(x));
	} else {
		x->admitted = true;
		if (x->route->upload) /* an upload has no time limit */
			crowd_busy(x->server->crowd, &x->from->member);
	}
}

static enum MHD_Result begin_exchange(struct http_server *server, struct MHD_Connection *connection,
				      const char *method, const char *url, void **ret_exchange)
{
	struct http_exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return MHD_NO;
	*ret_exchange = x;
	x->server = server;
	x->connection = connection;
	x->from = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			  ->socket_context;
	crowd_idle(server->crowd, &x->from->member, uv_now(server->loop)); /* anew, for the body */
	x->next = server->first;
	server->first = x;
	x->method = strdup(strcmp(method, "HEAD") == 0 ? "GET" : method);
	x->url = strdup(url);
	if (!x->method || !x->url)
		return MHD_NO;
	judge_head(x, method);
	return x->response && !reads_body_first(x) ? queue_reply(x) : MHD_YES;
}

static void take_body(struct http_exchange *x, struct span bytes)
{
	uint8_t *larger;

	if (bytes.size > body_max(x) - x->body_size) {
		http_reply_problem(x, 413, "a body of more than %zu bytes", body_max(x));
		return;
	}
	larger = realloc(x->body, x->body_size + bytes.size + 1);
	if (!larger) {
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	x->body = larger;
	memcpy(x->body + x->body_size, bytes.bytes, bytes.size);
	x->body_size += bytes.size;
}

/* Passes over the rest of a body whose answer is known, since libmicrohttpd sends no answer
 * before the body's end. The body of a streamed upload that was admitted is read to its end,
 * however long it is. */
static enum MHD_Result pass_over(struct http_exchange *x, size_t size)
{
	bool is_stream = x->admitted && x->route->upload;

	x->passed_over += size;
	return is_stream || x->passed_over <= REFUSED_BODY_MAX ? MHD_YES : MHD_NO;
}

static void suspend(struct http_exchange *x)
{
	x->suspended = true;
	MHD_suspend_connection(x->connection);
}

static enum MHD_Result take_upload(struct http_exchange *x, const char *bytes, size_t *size)
{
	struct span span = span_of(bytes, *size);

	if (x->waiting) {
		suspend(x);
		return MHD_YES;
	}
	*size = 0;
	if (x->response || x->handled)
		return pass_over(x, span.size);
	if (x->route->upload)
		x->route->upload(x, span);
	else
		take_body(x, span);
	return MHD_YES;
}

/* The request is whole. */
static void handle_exchange(struct http_exchange *x)
{
	x->handled = true;
	crowd_busy(x->server->crowd, &x->from->member);
	x->route->handle(x);
}

enum MHD_Result http_serve_access(void *user, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct http_server *server = user;
	struct http_exchange *x = *state;

	(void)version;
	if (!x)
		return begin_exchange(server, connection, method, url, state);
	if (*upload_size > 0)
		return take_upload(x, upload, upload_size);
	if (x->waiting) {
		suspend(x);
		return MHD_YES;
	}
	if (!x->response && !x->handled)
		handle_exchange(x);
	if (x->response)
		return queue_reply(x);
	suspend(x);
	return MHD_YES;
}

void http_serve_completed(void *user, struct MHD_Connection *connection, void **state,
			  enum MHD_RequestTerminationCode code)
{
	struct http_exchange *x = *state;

	struct http_server *server = user;
	struct http_connection *from = x ? x->from : NULL;

	(void)connection;
	(void)code;
	if (x)
		http_exchange_free(x);
	if (from)
		crowd_idle(server->crowd, &from->member, uv_now(server->loop));
	*state = NULL;
}
