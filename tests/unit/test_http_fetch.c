/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A whole small document, within a size and a time. */
#include "http_world.h"

#include <errno.h>

#include "base/macros.h"
#include "http/http_fetch.h"

struct fetched {
	struct http_world *world;
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
	struct http_world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct fetched fetched = {.world = w};
		const struct http_ask ask = {
			.url = http_world_url(w, rows[i].path),
			.access = &w->access,
			.max_bytes = rows[i].max,
			.timeout_ms = rows[i].timeout_ms,
		};
		struct http_fetch *fetch;

		assert_int_equal(
			http_fetch_start(&fetch, w->client, &w->loop, &ask, on_fetched, &fetched),
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
	struct http_world *w = *state;
	struct fetched fetched = {.world = w};
	const struct http_ask ask = {
		.url = http_world_url(w, "/later"),
		.access = &w->access,
		.max_bytes = 1000,
		.timeout_ms = 5000,
	};
	struct http_fetch *fetch;

	assert_int_equal(http_fetch_start(&fetch, w->client, &w->loop, &ask, on_fetched, &fetched),
			 0);
	while (!w->waiting)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	http_fetch_cancel(fetch);
	http_reply_empty(w->waiting, 204);
	test_run_until(&w->loop, &w->gone);
	assert_false(fetched.done);
}

/* Not before its time; and cancelled or given up before that, nobody is asked. */
static void test_fetch_later(void **state)
{
	struct http_world *w = *state;
	const struct http_ask ask = {
		.url = http_world_url(w, "/hello/x"),
		.access = &w->access,
		.max_bytes = 1000,
		.timeout_ms = 5000,
		.after_ms = 100,
	};
	struct fetched fetched = {.world = w};
	struct fetched given_up = {.world = w};
	struct fetched cancelled = {.world = w};
	struct http_fetch *fetch;
	uint64_t began_ms;

	uv_update_time(&w->loop);
	began_ms = uv_now(&w->loop);
	assert_int_equal(http_fetch_start(&fetch, w->client, &w->loop, &ask, on_fetched, &fetched),
			 0);
	assert_int_equal(
		http_fetch_start(&fetch, w->client, &w->loop, &ask, on_fetched, &cancelled), 0);
	http_fetch_cancel(fetch);
	assert_int_equal(http_fetch_start(&fetch, w->client, &w->loop, &ask, on_fetched, &given_up),
			 0);
	http_fetch_give_up(fetch, -ECANCELED, "not wanted any more");
	test_run_until(&w->loop, &given_up.done);
	assert_string_equal(given_up.err.text, "not wanted any more");
	assert_false(fetched.done);
	test_run_until(&w->loop, &fetched.done);
	assert_true(uv_now(&w->loop) - began_ms >= 100);
	assert_int_equal(fetched.err.code, 0);
	assert_false(cancelled.done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fetch, http_world_make, http_world_end),
		cmocka_unit_test_setup_teardown(test_fetch_cancelled, http_world_make,
						http_world_end),
		cmocka_unit_test_setup_teardown(test_fetch_later, http_world_make, http_world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
