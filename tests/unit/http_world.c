/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http_world.h"

#include <fcntl.h>
#include <signal.h>

#include "base/macros.h"

static void get_file(struct http_exchange *x)
{
	struct http_world *w = http_exchange_owner(x);
	int fd = open(test_path(w->folder, "file"), O_RDONLY | O_CLOEXEC);

	http_reply_file(x, fd, FILE_SIZE, "application/octet-stream");
}

static void get_hello(struct http_exchange *x)
{
	cJSON *json = cJSON_CreateObject();
	const char *query = http_exchange_query(x, "q");

	cJSON_AddStringToObject(json, "name", http_exchange_parameter(x, "name"));
	cJSON_AddStringToObject(json, "q", query ? query : "");
	http_reply_json(x, 200, json);
}

static void on_gone(void *kept)
{
	struct http_world *w = kept;

	w->gone = true;
	w->waiting = NULL;
}

static void get_later(struct http_exchange *x)
{
	struct http_world *w = http_exchange_owner(x);

	w->waiting = x;
	http_exchange_keep(x, w, on_gone);
}

static void get_problem(struct http_exchange *x)
{
	http_reply_problem(x, 409, "version %s is there", "V1");
}

static const struct http_route routes[] = {
	{"GET", "/file", HTTP_READS, get_file, NULL, 0},
	{"GET", "/hello/{name}", HTTP_READS, get_hello, NULL, 0},
	{"GET", "/later", HTTP_READS, get_later, NULL, 0},
	{"GET", "/problem", HTTP_READS, get_problem, NULL, 0},
};

int http_world_make(void **state)
{
	struct http_world *w = calloc(1, sizeof(*w));
	struct http_listener listener = {
		.routes = routes, .n_routes = N_ELEMENTS(routes), .owner = w};
	uint8_t *bytes = malloc(FILE_SIZE);
	struct err err;

	assert_non_null(w);
	assert_non_null(bytes);
	(void)signal(SIGPIPE, SIG_IGN);
	w->folder = test_folder();
	for (unsigned i = 0; i < FILE_SIZE; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 256);
	test_write(test_path(w->folder, "file"), span_of(bytes, FILE_SIZE));
	free(bytes);
	w->access.connect_timeout_s = 5;
	assert_int_equal(uv_loop_init(&w->loop), 0);
	(void)uv_timer_init(&w->loop, &w->timer);
	w->timer.data = w;
	if (http_server_listen_tcp(&w->server, &w->loop, &listener, "127.0.0.1", 0, &err) < 0 ||
	    http_client_init(&w->client, &w->loop, &err) < 0)
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

void http_world_closed(void *owner)
{
	*(bool *)owner = true;
}

int http_world_end(void **state)
{
	struct http_world *w = *state;

	uv_close((uv_handle_t *)&w->timer, NULL);
	if (w->client)
		http_client_close(w->client, http_world_closed, &w->client_closed);
	else
		w->client_closed = true;
	if (w->server)
		http_server_close(w->server, http_world_closed, &w->server_closed);
	test_close_loop(&w->loop);
	assert_true(w->client_closed);
	test_folder_remove(w->folder);
	free(w);
	return 0;
}

const char *http_world_url(struct http_world *w, const char *path)
{
	(void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u%s", http_server_port(w->server),
		       path);
	return w->url;
}

static int on_headers(struct http_request *request, const struct http_head *head, void *owner)
{
	struct http_world *w = owner;

	assert_ptr_equal(request, w->request);
	w->n_headers++;
	w->head = *head;
	return w->behaviour == ABORT_IN_HEADERS ? -EPROTO : 0;
}

static void on_resume(uv_timer_t *timer)
{
	struct http_world *w = timer->data;

	http_request_resume(w->request);
}

static int on_body(struct http_request *request, struct span bytes, void *owner)
{
	struct http_world *w = owner;

	if (w->behaviour == ABORT_IN_BODY)
		return -EMSGSIZE;
	if (w->behaviour == CANCEL_IN_BODY)
		http_request_cancel(request);
	if (w->behaviour == PAUSE_ONCE && !w->paused) {
		w->paused = true;
		(void)uv_timer_start(&w->timer, on_resume, 20, 0);
		return HTTP_PAUSE;
	}
	for (size_t i = 0; i < bytes.size; i++)
		w->sum += bytes.bytes[i];
	w->bytes += bytes.size;
	return 0;
}

static void on_done(struct http_request *request, const struct http_result *result, void *owner)
{
	struct http_world *w = owner;

	assert_ptr_equal(request, w->request);
	w->n_done++;
	w->result = *result;
	w->done = true;
}

void http_world_get(struct http_world *w, const char *address, bool has_range, uint64_t first,
		    uint64_t last)
{
	struct http_get request = {
		.url = address,
		.access = &w->access,
		.has_range = has_range,
		.first = first,
		.last = last,
		.callbacks = {.headers = on_headers, .body = on_body, .done = on_done},
		.owner = w,
	};

	w->n_headers = 0;
	w->n_done = 0;
	w->done = false;
	w->bytes = 0;
	w->sum = 0;
	assert_int_equal(http_client_get(w->client, &request, &w->request), 0);
	assert_int_equal(w->n_done, 0); /* never inside a call of its owner */
}
