/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Server-sent events, cut anywhere. */
#include "faults.h"
#include "support.h"

#include "stewardctl/sse.h"

static char taken[512];

static bool take(void *owner, const char *event, const char *data)
{
	(void)owner;
	(void)snprintf(taken + strlen(taken), sizeof(taken) - strlen(taken), "[%s|%s]", event,
		       data);
	return strcmp(event, "stop") != 0;
}

static const char stream[] = ": a comment\n"
			     "event: state\ndata: {\"a\":1}\n\n"
			     "data: without a name\r\n\r\n"
			     "event: nothing\n\n"
			     "id: 5\nretry: 10\ndata: x\ndata: y\n\n";
static const char expected[] = "[state|{\"a\":1}][|without a name][|y]";

static void test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t size = 1; size <= strlen(stream); size++) {
		struct sse sse;

		taken[0] = '\0';
		sse_init(&sse, take, NULL);
		for (size_t at = 0; at < strlen(stream); at += size) {
			size_t left = strlen(stream) - at;

			assert_true(sse_feed(&sse, stream + at, left < size ? left : size));
		}
		assert_string_equal(taken, expected);
		sse_release(&sse);
	}
}

static void test_stop(void **state)
{
	static const char text[] = "event: stop\ndata: 1\n\nevent: more\ndata: 2\n\n";
	struct sse sse;

	(void)state;
	taken[0] = '\0';
	sse_init(&sse, take, NULL);
	assert_false(sse_feed(&sse, text, strlen(text)));
	assert_string_equal(taken, "[stop|1]");
	sse_release(&sse);
}

static void test_line_too_long(void **state)
{
	size_t size = SSE_LINE_MAX + 100;
	char *text = malloc(size);
	struct sse sse;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', size);
	taken[0] = '\0';
	sse_init(&sse, take, NULL);
	assert_true(sse_feed(&sse, text, size));
	assert_true(sse_feed(&sse, "\ndata: after\n\n", 14));
	assert_string_equal(taken, "[|after]");
	sse_release(&sse);
	free(text);
}

static void test_memory_runs_out(void **state)
{
	bool failed;

	(void)state;
	for (unsigned n = 1;; n++) {
		struct sse sse;

		taken[0] = '\0';
		faults_fail_allocation(n);
		sse_init(&sse, take, NULL);
		assert_true(sse_feed(&sse, stream, strlen(stream)));
		failed = faults_had_effect();
		assert_true(sse_feed(&sse, "data: after\n\n", 13));
		assert_contains(taken, "[|after]");
		sse_release(&sse);
		if (!failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_line_too_long),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
