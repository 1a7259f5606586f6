/* Client and server on one loop: what was promised of callbacks, and that nothing is left. */
#include "support.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/http_client.h"
#include "core/http_fetch.h"
#include "core/http_server.h"
#include "core/macros.h"

#define FILE_SIZE 300000u

enum behaviour { JUST_READ, PAUSE_ONCE, ABORT_IN_HEADERS, ABORT_IN_BODY, CANCEL_IN_BODY };

struct world {
	uv_loop_t loop;
	char *folder;
	struct http_server *server;
	struct http_client *client;
	struct http_access access;
	char url[128];
	bool server_closed;
	bool client_closed;

	/* Of the request under test. */
	struct http_request *request;
	struct http_head head;
	struct http_result result;
	unsigned n_headers;
	unsigned n_done;
	bool done;
	uint64_t bytes;
	uint64_t sum;
	enum behaviour behaviour;
	bool paused;
	uv_timer_t timer;
	struct http_exchange *waiting;
	bool gone;
};

static void get_file(struct http_exchange *x)
{
	struct world *w = http_exchange_owner(x);
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
	struct world *w = kept;

	w->gone = true;
	w->waiting = NULL;
}

static void get_later(struct http_exchange *x)
{
	struct world *w = http_exchange_owner(x);

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

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct http_listener listener = {
		.routes = routes, .n_routes = N_ELEMENTS(routes), .owner = w};
	uint8_t *bytes = malloc(FILE_SIZE);
	struct err err;

	assert_non_null(w);
	assert_non_null(bytes);
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

static void on_closed(void *owner)
{
	*(bool *)owner = true;
}

static int end_world(void **state)
{
	struct world *w = *state;

	uv_close((uv_handle_t *)&w->timer, NULL);
	if (w->client)
		http_client_close(w->client, on_closed, &w->client_closed);
	else
		w->client_closed = true;
	if (w->server)
		http_server_close(w->server, on_closed, &w->server_closed);
	test_close_loop(&w->loop);
	assert_true(w->client_closed);
	test_folder_remove(w->folder);
	free(w);
	return 0;
}

static const char *url(struct world *w, const char *path)
{
	(void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u%s", http_server_port(w->server),
		       path);
	return w->url;
}

static int on_headers(struct http_request *request, const struct http_head *head, void *owner)
{
	struct world *w = owner;

	assert_ptr_equal(request, w->request);
	w->n_headers++;
	w->head = *head;
	return w->behaviour == ABORT_IN_HEADERS ? -EPROTO : 0;
}

static void on_resume(uv_timer_t *timer)
{
	struct world *w = timer->data;

	http_request_resume(w->request);
}

static int on_body(struct http_request *request, struct span bytes, void *owner)
{
	struct world *w = owner;

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
	struct world *w = owner;

	assert_ptr_equal(request, w->request);
	w->n_done++;
	w->result = *result;
	w->done = true;
}

static void get(struct world *w, const char *address, bool has_range, uint64_t first, uint64_t last)
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

static uint64_t sum_of(uint64_t first, uint64_t last)
{
	uint64_t sum = 0;

	for (uint64_t i = first; i <= last; i++)
		sum += (uint8_t)(i * 31 + i / 256);
	return sum;
}

static void test_whole_and_ranges(void **state)
{
	static const struct {
		bool has_range;
		uint64_t first, last; /* asked for */
		int status;
		uint64_t got_first, got_last;
	} rows[] = {
		{false, 0, 0, 200, 0, FILE_SIZE - 1},
		{true, 0, 0, 206, 0, 0},
		{true, 1000, 200000, 206, 1000, 200000},
		{true, FILE_SIZE - 1, FILE_SIZE + 10, 206, FILE_SIZE - 1, FILE_SIZE - 1},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		get(w, url(w, "/file"), rows[i].has_range, rows[i].first, rows[i].last);
		test_run_until(&w->loop, &w->done);
		assert_int_equal(w->result.outcome, HTTP_DONE);
		assert_int_equal(w->result.status, rows[i].status);
		assert_int_equal(w->n_headers, 1);
		assert_int_equal(w->bytes, rows[i].got_last - rows[i].got_first + 1);
		assert_int_equal(w->sum, sum_of(rows[i].got_first, rows[i].got_last));
		assert_int_equal(w->head.length, w->bytes);
		if (rows[i].status == 206) {
			assert_int_equal(w->head.range_state, RANGE_VALID);
			assert_int_equal(w->head.range_first, rows[i].got_first);
			assert_int_equal(w->head.range_total, FILE_SIZE);
		}
	}
	get(w, url(w, "/file"), true, FILE_SIZE, FILE_SIZE);
	test_run_until(&w->loop, &w->done);
	assert_int_equal(w->result.status, 416);
}

static void test_pause(void **state)
{
	struct world *w = *state;

	w->behaviour = PAUSE_ONCE;
	get(w, url(w, "/file"), false, 0, 0);
	test_run_until(&w->loop, &w->done);
	assert_true(w->paused);
	assert_int_equal(w->bytes, FILE_SIZE); /* what was refused came again */
	assert_int_equal(w->sum, sum_of(0, FILE_SIZE - 1));
}

static void test_ended_by_a_callback(void **state)
{
	static const struct {
		enum behaviour behaviour;
		enum http_outcome outcome;
		int code;
	} rows[] = {
		{ABORT_IN_HEADERS, HTTP_ABORTED, -EPROTO},
		{ABORT_IN_BODY, HTTP_ABORTED, -EMSGSIZE},
		{CANCEL_IN_BODY, HTTP_CANCELLED, 0},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		w->behaviour = rows[i].behaviour;
		get(w, url(w, "/file"), false, 0, 0);
		test_run_until(&w->loop, &w->done);
		assert_int_equal(w->result.outcome, rows[i].outcome);
		assert_int_equal(w->result.code, rows[i].code);
		assert_int_equal(w->n_done, 1);
	}
}

static void test_cancelled_at_once(void **state)
{
	struct world *w = *state;

	get(w, url(w, "/file"), false, 0, 0);
	http_request_cancel(w->request);
	assert_int_equal(w->n_done, 0);
	http_request_cancel(w->request); /* again: nothing more */
	test_run_until(&w->loop, &w->done);
	assert_int_equal(w->result.outcome, HTTP_CANCELLED);
	assert_int_equal(w->n_done, 1);
}

static void test_nobody_there(void **state)
{
	static const struct {
		const char *url;
		enum http_outcome outcome;
	} rows[] = {
		{"http://127.0.0.1:1/", HTTP_CONNECT_FAILED},
		{"http://no-such-host.invalid/", HTTP_RESOLVE_FAILED},
		{"ftp://127.0.0.1/", HTTP_PROTOCOL_ERROR},
		{"file:///etc/passwd", HTTP_PROTOCOL_ERROR},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		get(w, rows[i].url, false, 0, 0);
		test_run_until(&w->loop, &w->done);
		if (w->result.outcome != rows[i].outcome)
			fail_msg("%s: %d, %s", rows[i].url, (int)w->result.outcome,
				 w->result.err.text);
		assert_int_equal(w->n_headers, 0);
		assert_true(w->result.err.text[0]);
	}
}

/* Done comes before closed, also for what is in the middle. */
static void test_client_closes_first(void **state)
{
	struct world *w = *state;

	get(w, url(w, "/later"), false, 0, 0);
	while (!w->waiting)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	http_client_close(w->client, on_closed, &w->client_closed);
	w->client = NULL;
	test_run_until(&w->loop, &w->client_closed);
	assert_int_equal(w->n_done, 1);
	assert_int_equal(w->result.outcome, HTTP_CANCELLED);
	http_reply_empty(w->waiting, 204); /* to nobody: only now the server notices */
	test_run_until(&w->loop, &w->gone);
}

static void test_server_closes_first(void **state)
{
	struct world *w = *state;

	get(w, url(w, "/later"), false, 0, 0);
	while (!w->waiting)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	http_server_close(w->server, on_closed, &w->server_closed);
	w->server = NULL;
	test_run_until(&w->loop, &w->server_closed);
	assert_true(w->gone);
	test_run_until(&w->loop, &w->done);
	if (w->result.outcome == HTTP_DONE)
		assert_int_equal(w->result.status, 503);
}

static void on_answer_now(uv_timer_t *timer)
{
	struct world *w = timer->data;

	http_reply_text(w->waiting, 200, "text/plain", "at last");
}

static void test_reply_later(void **state)
{
	struct world *w = *state;

	get(w, url(w, "/later"), false, 0, 0);
	while (!w->waiting)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	(void)uv_timer_start(&w->timer, on_answer_now, 20, 0);
	test_run_until(&w->loop, &w->done);
	assert_int_equal(w->result.status, 200);
	assert_int_equal(w->bytes, strlen("at last"));
}

struct fetched {
	struct world *world;
	char body[512];
	struct err err;
	bool done;
};

static void on_fetched(struct http_fetch *fetch, const struct http_fetch_result *result,
		       void *owner)
{
	struct fetched *fetched = owner;

	(void)fetch;
	(void)snprintf(fetched->body, sizeof(fetched->body), "%.*s", (int)result->body.size,
		       (const char *)result->body.bytes);
	fetched->err = result->err;
	fetched->done = true;
}

static void test_fetch(void **state)
{
	static const struct {
		const char *path;
		size_t max;
		uint64_t timeout_ms;
		const char *body;
		const char *error; /* NULL = none */
	} rows[] = {
		{"/hello/w%C3%B6rld?q=a%26b", 1000, 5000, "{\"name\":\"wörld\",\"q\":\"a&b\"}",
		 NULL},
		{"/hello/x", 5, 5000, "", "5 bytes"},
		{"/file", 100000, 5000, "", "100000 bytes"},
		{"/nothing", 1000, 5000, "", "HTTP 404"},
		{"/problem", 1000, 5000, "", "HTTP 409"},
		{"/later", 1000, 1000, "", "within 1 s"},
	};
	struct world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct fetched fetched = {.world = w};
		struct http_fetch *fetch;

		assert_int_equal(http_fetch_start(&fetch, w->client, &w->loop, url(w, rows[i].path),
						  &w->access, rows[i].max, rows[i].timeout_ms,
						  on_fetched, &fetched),
				 0);
		test_run_until(&w->loop, &fetched.done);
		if (!rows[i].error && fetched.err.code != 0)
			fail_msg("%s: %s", rows[i].path, fetched.err.text);
		if (rows[i].error)
			assert_contains(fetched.err.text, rows[i].error);
		else
			assert_string_equal(fetched.body, rows[i].body);
	}
}

static void test_fetch_cancelled(void **state)
{
	struct world *w = *state;
	struct fetched fetched = {.world = w};
	struct http_fetch *fetch;

	assert_int_equal(http_fetch_start(&fetch, w->client, &w->loop, url(w, "/later"), &w->access,
					  1000, 5000, on_fetched, &fetched),
			 0);
	while (!w->waiting)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	http_fetch_cancel(fetch);
	http_reply_empty(w->waiting, 204);
	test_run_until(&w->loop, &w->gone);
	assert_false(fetched.done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_and_ranges, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_pause, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_ended_by_a_callback, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_cancelled_at_once, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_nobody_there, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_client_closes_first, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_server_closes_first, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_reply_later, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_fetch, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_fetch_cancelled, make_world, end_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
