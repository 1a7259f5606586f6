/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replies: JSON, problems, text, files, and streams without end. */
#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/printable.h"
#include "http/http_range.h"
#include "http/http_server_private.h"

#define STREAM_BLOCK (16u << 10)

static void send_response(struct http_exchange *x, unsigned status, struct MHD_Response *response,
			  const char *type)
{
	assert(!x->response);
	if (type)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	x->status = status;
	x->response = response;
	x->waiting = false;
	http_exchange_resume(x);
}

static struct MHD_Response *response_of_text(char *text)
{
	return MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
}

static void reply_json(struct http_exchange *x, unsigned status, cJSON *json, const char *type,
		       const char *location)
{
	char *text = cJSON_PrintUnformatted(json);
	struct MHD_Response *response;

	cJSON_Delete(json);
	response = response_of_text(text ? text : strdup("{}"));
	if (location)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, location);
	send_response(x, status, response, type);
}

void http_reply_json(struct http_exchange *x, unsigned status, cJSON *json)
{
	reply_json(x, status, json, "application/json", NULL);
}

void http_reply_json_at(struct http_exchange *x, unsigned status, const char *location, cJSON *json)
{
	reply_json(x, status, json, "application/json", location);
}

void http_reply_problem(struct http_exchange *x, unsigned status, const char *format, ...)
{
	cJSON *problem = cJSON_CreateObject();
	char raw[ERR_TEXT_SIZE];
	char detail[ERR_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	printable_copy(raw, detail, sizeof(detail));
	cJSON_AddStringToObject(problem, "type", "about:blank");
	cJSON_AddStringToObject(problem, "title", MHD_get_reason_phrase_for(status));
	cJSON_AddNumberToObject(problem, "status", status);
	cJSON_AddStringToObject(problem, "detail", detail);
	reply_json(x, status, problem, "application/problem+json", NULL);
}

void http_reply_text(struct http_exchange *x, unsigned status, const char *type, const char *text)
{
	send_response(x, status, response_of_text(strdup(text)), type);
}

void http_reply_bytes(struct http_exchange *x, unsigned status, const char *type, struct span bytes)
{
	/* libmicrohttpd's type has no const, although it only copies the bytes. */
	union {
		const uint8_t *bytes;
		void *copied;
	} from = {.bytes = bytes.bytes};

	send_response(
		x, status,
		MHD_create_response_from_buffer(bytes.size, from.copied, MHD_RESPMEM_MUST_COPY),
		type);
}

void http_reply_page(struct http_exchange *x, char *text, const char *link)
{
	struct MHD_Response *response = response_of_text(text);

	if (link)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_LINK, link);
	send_response(x, 200, response, "application/json");
}

void http_reply_empty(struct http_exchange *x, unsigned status)
{
	send_response(x, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT),
		      NULL);
}

void http_reply_unsatisfiable(struct http_exchange *x, uint64_t size)
{
	char range[64];

	(void)snprintf(range, sizeof(range), "bytes */%" PRIu64, size);
	http_reply_problem(x, 416, "not there: that part of a file of %" PRIu64 " bytes", size);
	(void)MHD_add_response_header(x->response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
}

enum http_range_kind http_exchange_range(const struct http_exchange *x, uint64_t size,
					 uint64_t *ret_first, uint64_t *ret_length)
{
	return http_range_parse(
		MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_RANGE),
		size, ret_first, ret_length);
}

void http_reply_file(struct http_exchange *x, int fd, uint64_t size, const char *type)
{
	uint64_t first = 0;
	uint64_t length = size;
	enum http_range_kind kind = http_exchange_range(x, size, &first, &length);
	struct MHD_Response *response;
	char range[96];

	if (kind == HTTP_RANGE_UNSATISFIABLE) {
		(void)close(fd);
		http_reply_unsatisfiable(x, size);
		return;
	}
	response = MHD_create_response_from_fd_at_offset64(length, fd, first);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	if (kind == HTTP_RANGE_PART) {
		(void)snprintf(range, sizeof(range), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
			       first, first + length - 1, size);
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
	}
	send_response(x, kind == HTTP_RANGE_PART ? 206 : 200, response, type);
}

static ssize_t read_stream(void *user, uint64_t position, char *buffer, size_t max)
{
	struct http_exchange *x = user;
	size_t n = MIN(x->stream_size, max);

	(void)position;
	if (x->dropped)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 && x->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		x->suspended = true;
		MHD_suspend_connection(x->connection);
		return 0;
	}
	memcpy(buffer, x->stream, n);
	x->stream_size -= n;
	memmove(x->stream, x->stream + n, x->stream_size);
	return (ssize_t)n;
}

/* Ends the streams whose reader has gone. libmicrohttpd does not watch a connection that is
 * suspended, so it would notice only when there is an event to send. */
void http_exchanges_sweep(struct http_server *server)
{
	for (struct http_exchange *x = server->first; x; x = x->next) {
		struct pollfd at = {.fd = x->from->fd};

		if (!x->streaming || !x->suspended || poll(&at, 1, 0) <= 0)
			continue;
		x->dropped = true;
		http_exchange_resume(x);
		crowd_leave(server->crowd, &x->from->member);
	}
}

bool http_exchange_may_stream(struct http_exchange *x)
{
	if (crowd_stream(x->server->crowd, &x->from->member))
		return true;
	http_exchanges_sweep(x->server);
	if (crowd_stream(x->server->crowd, &x->from->member))
		return true;
	http_reply_problem(x, 503, "too many event streams of one peer at once");
	return false;
}

void http_reply_stream(struct http_exchange *x, unsigned status, const char *type)
{
	x->streaming = true;
	send_response(x, status,
		      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream,
							x, NULL),
		      type);
}

bool http_stream_send(struct http_exchange *x, const char *text)
{
	size_t length = strlen(text);
	char *larger = NULL;

	if (!x->dropped && x->stream_size + length <= HTTP_STREAM_MAX)
		larger = realloc(x->stream, x->stream_size + length + 1);
	if (!larger) {
		x->dropped = true;
		(void)shutdown(x->from->fd, SHUT_RDWR); /* the client may write for ever */
		http_exchange_resume(x);
		return false;
	}
	x->stream = larger;
	memcpy(x->stream + x->stream_size, text, length);
	x->stream_size += length;
	http_exchange_resume(x);
	return true;
}

void http_stream_end(struct http_exchange *x)
{
	x->ended = true;
	http_exchange_resume(x);
}
