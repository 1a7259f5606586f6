/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The history of a download: what is counted stays counted however it is thinned, time goes on,
 * and what stands in history.json is believed only if it makes sense. */
#include "support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/macros.h"
#include "download/history_json.h"

#define BEGIN INT64_C(1767225600)

static uint64_t sum_of(const struct history *h)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < h->n_points; i++)
		sum += history_point_bytes(&h->points[i]);
	return sum;
}

static void check_order(const struct history *h)
{
	for (size_t i = 0; i < h->n_points; i++) {
		assert_int_equal(h->points[i].at_s % h->resolution_s, 0);
		if (i > 0)
			assert_true(h->points[i].at_s > h->points[i - 1].at_s);
	}
}

/* Seconds that were fetched in, and how coarse that makes it. */
static void test_thinned(void **state)
{
	static const struct {
		unsigned seconds;
		unsigned every; /* how many of them pass without a point between two points */
		unsigned resolution;
		size_t points;
	} rows[] = {
		{1, 1, 1, 1},           {600, 1, 1, 600},  {601, 1, 2, 301},
		{1200, 1, 2, 600},      {1202, 1, 4, 301}, {86400, 1, 256, 338},
		{600, 1000, 1, 600},    /* ten days of pauses, and seconds in between */
		{601, 1000, 1024, 587}, /* only when they come near each other does that help */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct history h;

		history_init(&h);
		for (unsigned second = 0; second < rows[i].seconds; second++) {
			history_begin_point(&h, BEGIN + (int64_t)second * rows[i].every);
			history_count(&h, second % 2 ? "s0" : "s1", 1000, second % 100 == 0);
		}
		if (h.resolution_s != rows[i].resolution || h.n_points != rows[i].points)
			fail_msg("row %u: %u s, %zu points", i, h.resolution_s, h.n_points);
		assert_int_equal(sum_of(&h), 1000 * (uint64_t)rows[i].seconds);
		check_order(&h);
		history_release(&h);
	}
}

/* A router whose clock begins with 1970, and points so far apart that no resolution brings them
 * together. */
static void test_times_far_apart(void **state)
{
	struct history h;

	(void)state;
	history_init(&h);
	for (unsigned i = 0; i < 2 * HISTORY_POINTS_MAX; i++) {
		history_begin_point(&h, (int64_t)i << 31);
		history_count(&h, "s0", 1, 0);
	}
	assert_int_equal(h.n_points, 513); /* as many as the greatest time allows */
	check_order(&h);
	history_release(&h);

	history_init(&h);
	history_begin_point(&h, 5);
	history_begin_point(&h, BEGIN);
	history_begin_point(&h, -7);
	history_begin_point(&h, INT64_MAX);
	assert_int_equal(h.n_points, 3);
	assert_int_equal(h.points[1].at_s, BEGIN);
	assert_int_equal(h.points[2].at_s, HISTORY_AT_MAX);
	history_release(&h);
}

/* The clock is set back by an hour, and later is right again. */
static void test_clock_set_back(void **state)
{
	static const struct {
		int64_t now_s;
		int64_t at_s;
	} rows[] = {{0, 0},       {1, 1},       {-3600, 1},   {-3599, 2},
		    {-3500, 101}, {-7200, 101}, {-7198, 103}, {200, 200}};
	struct history h;

	(void)state;
	history_init(&h);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		history_begin_point(&h, BEGIN + rows[i].now_s);
		history_count(&h, "s0", 1, 0);
		if (h.points[h.n_points - 1].at_s != BEGIN + rows[i].at_s)
			fail_msg("row %u: %" PRId64, i, h.points[h.n_points - 1].at_s - BEGIN);
	}
	history_mark(&h, BEGIN, HISTORY_PAUSED, NULL, NULL);
	assert_int_equal(h.marks[0].at_s, BEGIN + 200);
	history_release(&h);
}

static void test_many_sources(void **state)
{
	struct history h;
	char name[16];

	(void)state;
	history_init(&h);
	history_count(&h, "s0", 1, 1); /* no point yet */
	assert_int_equal(h.n_sources, 0);
	history_begin_point(&h, BEGIN);
	history_count(&h, "never", 0, 1);
	for (unsigned i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "s%u", i);
		history_count(&h, name, 10, 1);
	}
	assert_int_equal(h.n_sources, HISTORY_SOURCES_MAX);
	assert_string_equal(h.sources[6], "s6");
	assert_string_equal(h.sources[7], HISTORY_OTHERS);
	assert_int_equal(h.points[0].bytes[6], 10);
	assert_int_equal(h.points[0].bytes[7], 130);
	assert_int_equal(h.points[0].failures, 21);
	history_release(&h);
}

static void test_many_marks(void **state)
{
	struct history h;
	char reason[400];

	(void)state;
	history_init(&h);
	for (unsigned i = 0; i < HISTORY_MARKS_MAX + 5; i++) {
		(void)snprintf(reason, sizeof(reason), "%u \033[2J%0300d", i, 0);
		history_mark(&h, BEGIN + i, HISTORY_MISMATCH, "s0", reason);
	}
	assert_int_equal(h.n_marks, HISTORY_MARKS_MAX);
	assert_int_equal(h.older_marks, 5);
	assert_int_equal(h.marks[0].at_s, BEGIN + 5);
	assert_contains(h.marks[0].reason, "5 \\x1b[2J0");
	assert_int_equal(strlen(h.marks[0].reason), HISTORY_REASON_SIZE - 1);
	history_release(&h);
}

/* The largest there is can be read again. */
static void test_written_and_read(void **state)
{
	struct history before;
	struct history after;
	struct err err;
	char name[SOURCE_NAME_SIZE];
	cJSON *json;
	char *text;

	(void)state;
	history_init(&before);
	for (unsigned i = 0; i < HISTORY_POINTS_MAX; i++) {
		history_begin_point(&before, BEGIN + i);
		for (unsigned source = 0; source < HISTORY_SOURCES_MAX; source++) {
			(void)snprintf(name, sizeof(name), "%070u", source);
			history_count(&before, name, UINT64_MAX, 3);
		}
	}
	for (unsigned i = 0; i < HISTORY_MARKS_MAX; i++)
		history_mark(&before, BEGIN + i, (enum history_kind)(i % HISTORY_KIND_COUNT),
			     i % 2 ? name : NULL, i % 3 ? "\"\"\"\"\"\"\"\"" : NULL);
	json = history_to_json(&before);
	text = cJSON_PrintUnformatted(json);
	if (history_parse(&after, span_of_string(text), &err) < 0)
		fail_msg("%zu bytes: %s", strlen(text), err.text);
	assert_int_equal(after.n_points, HISTORY_POINTS_MAX);
	assert_int_equal(after.points[599].bytes[7], HISTORY_COUNT_MAX);
	assert_memory_equal(after.points, before.points, 600 * sizeof(after.points[0]));
	assert_int_equal(after.n_marks, HISTORY_MARKS_MAX);
	for (unsigned i = 0; i < HISTORY_MARKS_MAX; i++) {
		assert_int_equal(after.marks[i].at_s, before.marks[i].at_s);
		assert_int_equal(after.marks[i].kind, before.marks[i].kind);
		assert_string_equal(after.marks[i].source, before.marks[i].source);
		assert_string_equal(after.marks[i].reason, before.marks[i].reason);
	}
	history_begin_point(&after, BEGIN + 600); /* and it goes on */
	assert_int_equal(after.resolution_s, 2);
	history_release(&before);
	history_release(&after);
	cJSON_Delete(json);
	free(text);
}

#define HEAD     "{\"resolution\":2,\"older-marks\":0,\"sources\":[\"a\"],"
#define POINT(x) HEAD "\"marks\":[],\"points\":[" x "]}"
#define MARK(x)  HEAD "\"points\":[],\"marks\":[" x "]}"
#define GOOD     "{\"at\":2,\"bytes\":[1],\"failures\":0}"

static void test_nonsense(void **state)
{
	static const struct {
		const char *text;
		const char *error; /* NULL = it is accepted */
	} rows[] = {
		{POINT(GOOD), NULL},
		{MARK("{\"at\":2,\"kind\":\"paused\",\"source\":null,\"reason\":\"x\"}"), NULL},
		{"", "not JSON"},
		{"[]", "resolution"},
		{"{\"resolution\":0}", "power of two"},
		{"{\"resolution\":3}", "power of two"},
		{"{\"resolution\":2147483648}", "resolution"},
		{"{\"resolution\":1,\"older-marks\":-1}", "older-marks"},
		{"{\"resolution\":1,\"older-marks\":0}", "sources"},
		{"{\"resolution\":1,\"older-marks\":0,\"sources\":[1]}", "sources"},
		{"{\"resolution\":1,\"older-marks\":0,\"sources\":[\"\"]}", "sources"},
		{"{\"resolution\":1,\"older-marks\":0,\"sources\":"
		 "[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]}",
		 "at most 8"},
		{HEAD "\"points\":[]}", "marks"},
		{HEAD "\"points\":{},\"marks\":[]}", "points"},
		{POINT("1"), "at"},
		{POINT("{\"at\":3,\"bytes\":[1],\"failures\":0}"), "multiple"},
		{POINT(GOOD "," GOOD), "order"},
		{POINT("{\"at\":-2,\"bytes\":[1],\"failures\":0}"), "at"},
		{POINT("{\"at\":1099511627778,\"bytes\":[1],\"failures\":0}"), "at"},
		{POINT("{\"at\":2,\"bytes\":[],\"failures\":0}"), "one a source"},
		{POINT("{\"at\":2,\"bytes\":[1,2],\"failures\":0}"), "one a source"},
		{POINT("{\"at\":2,\"bytes\":[\"1\"],\"failures\":0}"), "bytes"},
		{POINT("{\"at\":2,\"bytes\":[-1],\"failures\":0}"), "bytes"},
		{POINT("{\"at\":2,\"bytes\":[9007199254740993],\"failures\":0}"), ""},
		{POINT("{\"at\":2,\"bytes\":[1],\"failures\":-1}"), "failures"},
		{MARK("{\"at\":2,\"kind\":\"lunch\",\"source\":null,\"reason\":null}"), "lunch"},
		{MARK("{\"at\":2,\"kind\":\"paused\",\"source\":7,\"reason\":null}"), "source"},
		{MARK("{\"at\":2,\"kind\":\"paused\",\"source\":null}"), "reason"},
		{MARK("{\"at\":4,\"kind\":\"paused\",\"source\":null,\"reason\":null},"
		      "{\"at\":2,\"kind\":\"paused\",\"source\":null,\"reason\":null}"),
		 "order"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct history h;
		struct err err = {0};
		int rc;

		history_init(&h);
		rc = history_parse(&h, span_of_string(rows[i].text), &err);
		if (rc != (rows[i].error ? -EBADMSG : 0))
			fail_msg("row %u: %d %s", i, rc, err.text);
		if (rows[i].error)
			assert_contains(err.text, rows[i].error);
		assert_int_equal(h.n_points + h.n_marks, rows[i].error ? 0 : 1);
		history_release(&h);
	}
}

/* As many as stand in it, and one more. */
static void test_too_many(void **state)
{
	static const struct {
		const char *before;
		const char *after;
		unsigned max;
	} rows[] = {
		{HEAD "\"marks\":[],\"points\":[", "]}", HISTORY_POINTS_MAX},
		{HEAD "\"points\":[],\"marks\":[", "]}", HISTORY_MARKS_MAX},
	};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const unsigned n = rows[i / 2].max + i % 2;
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);
		struct history h;
		struct err err;

		(void)fputs(rows[i / 2].before, out);
		for (unsigned at = 0; at < n; at++)
			(void)fprintf(
				out,
				"%s{\"at\":%u,\"bytes\":[1],\"failures\":0,\"kind\":\"failed\","
				"\"source\":null,\"reason\":null}",
				at ? "," : "", 2 * at);
		(void)fputs(rows[i / 2].after, out);
		(void)fclose(out);
		history_init(&h);
		assert_int_equal(history_parse(&h, span_of_string(text), &err),
				 i % 2 ? -EBADMSG : 0);
		history_release(&h);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thinned),        cmocka_unit_test(test_times_far_apart),
		cmocka_unit_test(test_clock_set_back), cmocka_unit_test(test_many_sources),
		cmocka_unit_test(test_many_marks),     cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_nonsense),       cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
