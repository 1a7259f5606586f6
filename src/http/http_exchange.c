#include "http/http_exchange.h"

#include <assert.h>
#include <errno.h>
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

#define STREAM_BLOCK (16u << 10)

/* One segment of a path, up to the next '/'. */
static struct span segment(const char **at)
{
	const char *start = *at;
	size_t length = strcspn(start, "/");

	*at = start + length + (start[length] == '/');
	return span_of(start, length);
}

static bool is_parameter(struct span part)
{
	return part.size > 2 && part.bytes[0] == '{' && part.bytes[part.size - 1] == '}';
}

static bool ends_in_slash(const char *path)
{
	size_t length = strlen(path);

	return length > 0 && path[length - 1] == '/';
}

static bool matches(const char *pattern, const char *path)
{
	if (ends_in_slash(path) != ends_in_slash(pattern))
		return false;
	while (*pattern && *path) {
		struct span expected = segment(&pattern);
		struct span found = segment(&path);

		if (is_parameter(expected)
			    ? found.size == 0
			    : expected.size != found.size ||
				      memcmp(expected.bytes, found.bytes, found.size) != 0)
			return false;
	}
	return !*pattern && !*path;
}

static void take_parameters(struct http_exchange *x)
{
	const char *pattern = x->route->path;
	const char *path = x->url;
	unsigned n = 0;

	while (*pattern && n < PARAMETERS_MAX) {
		struct span expected = segment(&pattern);
		struct span found = segment(&path);

		if (!is_parameter(expected))
			continue;
		x->parameters[n] = span_of(expected.bytes + 1, expected.size - 2);
		x->values[n++] = strndup((const char *)found.bytes, found.size);
	}
}

static void add_allowed(char allow[64], const char *method)
{
	size_t length = strlen(allow);

	(void)snprintf(allow + length, 64 - length, "%s%s", length ? ", " : "", method);
}

unsigned http_exchange_route(struct http_exchange *x, char allow[64])
{
	const struct http_listener *listener = &x->server->listener;

	allow[0] = '\0';
	for (size_t i = 0; i < listener->n_routes; i++) {
		const struct http_route *route = &listener->routes[i];

		if (!matches(route->path, x->url))
			continue;
		if (strcmp(route->method, x->method) == 0) {
			x->route = route;
			take_parameters(x);
			return 0;
		}
		add_allowed(allow, route->method);
	}
	return allow[0] ? 405 : 404;
}

struct query_check {
	struct http_exchange *x;
	struct err *err;
	int rc;
};

/* One that stands twice would be read as whichever comes first, by another program as the last. */
static enum MHD_Result check_argument(void *user, enum MHD_ValueKind kind, const char *name,
				      const char *value)
{
	struct query_check *check = user;
	const char *first = MHD_lookup_connection_value(check->x->connection, kind, name);

	if (!value)
		check->rc = err_set(check->err, -EINVAL, "%s: it has no value", name);
	else if (first != value)
		check->rc = err_set(check->err, -EINVAL, "%s: it stands twice", name);
	return check->rc < 0 ? MHD_NO : MHD_YES;
}

int http_exchange_check_names(struct http_exchange *x, struct err *err)
{
	struct query_check check = {.x = x, .err = err};

	for (unsigned i = 0; i < PARAMETERS_MAX && x->values[i]; i++)
		if (strlen(x->values[i]) > PARAMETER_SIZE_MAX)
			return err_set(err, -EINVAL,
				       "%.*s: a name of %zu bytes, and none has more than %d",
				       (int)x->parameters[i].size,
				       (const char *)x->parameters[i].bytes, strlen(x->values[i]),
				       PARAMETER_SIZE_MAX);
	(void)MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, check_argument,
					&check);
	return check.rc;
}

void *http_exchange_owner(const struct http_exchange *x)
{
	return x->server->listener.owner;
}

uid_t http_exchange_uid(const struct http_exchange *x)
{
	return x->uid;
}

const char *http_exchange_method(const struct http_exchange *x)
{
	return x->method;
}

const char *http_exchange_parameter(const struct http_exchange *x, const char *name)
{
	for (unsigned i = 0; i < PARAMETERS_MAX; i++)
		if (x->values[i] && x->parameters[i].size == strlen(name) &&
		    memcmp(x->parameters[i].bytes, name, strlen(name)) == 0)
			return x->values[i];
	return "";
}

const char *http_exchange_query(const struct http_exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct span http_exchange_body(const struct http_exchange *x)
{
	return span_of(x->body, x->body_size);
}

void http_exchange_keep(struct http_exchange *x, void *kept, void (*gone)(void *kept))
{
	x->kept = kept;
	x->gone = gone;
}

void *http_exchange_kept(const struct http_exchange *x)
{
	return x->kept;
}

void http_exchange_resume(struct http_exchange *x)
{
	if (!x->suspended)
		return;
	x->suspended = false;
	MHD_resume_connection(x->connection);
	http_server_kick(x->server);
}

void http_exchange_wait(struct http_exchange *x)
{
	x->waiting = true;
}

void http_exchange_go_on(struct http_exchange *x)
{
	x->waiting = false;
	http_exchange_resume(x);
}

void http_exchange_free(struct http_exchange *x)
{
	struct http_exchange **at = &x->server->first;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	if (x->gone)
		x->gone(x->kept);
	if (x->response)
		MHD_destroy_response(x->response);
	for (unsigned i = 0; i < PARAMETERS_MAX; i++)
		free(x->values[i]);
	free(x->method);
	free(x->url);
	free(x->body);
	free(x->stream);
	free(x);
}

static void reply(struct http_exchange *x, unsigned status, struct MHD_Response *response,
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
	reply(x, status, response, type);
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
	reply(x, status, response_of_text(strdup(text)), type);
}

void http_reply_bytes(struct http_exchange *x, unsigned status, const char *type, struct span bytes)
{
	/* libmicrohttpd takes no const; it copies. */
	union {
		const uint8_t *bytes;
		void *copied;
	} from = {.bytes = bytes.bytes};

	reply(x, status,
	      MHD_create_response_from_buffer(bytes.size, from.copied, MHD_RESPMEM_MUST_COPY),
	      type);
}

void http_reply_empty(struct http_exchange *x, unsigned status)
{
	reply(x, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), NULL);
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
	reply(x, kind == HTTP_RANGE_PART ? 206 : 200, response, type);
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

/* Who reads events is heard of only when there is one to send: libmicrohttpd does not look at a
 * connection that is suspended. */
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
	reply(x, status,
	      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, x,
						NULL),
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
		(void)shutdown(x->from->fd, SHUT_RDWR); /* it may be writing for ever */
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
