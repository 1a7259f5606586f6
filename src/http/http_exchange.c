/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* A name that is given twice is refused: we would read the first value, and another program might
 * read the last. */
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

const char *http_exchange_path(const struct http_exchange *x)
{
	return x->url;
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
