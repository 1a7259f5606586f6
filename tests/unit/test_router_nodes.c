/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which nodes of a router are meant, and what is told of one that was asked. */
#include "support.h"

#include "base/macros.h"
#include "conductord/router_nodes.h"

#define LONG "0123456789012345678901234567890123456789012345678901234567890123" /* 64 */

static void test_who_is_meant(void **state)
{
	static const struct {
		const char *router;
		const char *only;
		int rc;
	} rows[] = {
		{"router1", NULL, 0},                                 /* all of them */
		{"router1", "node0", 0},    {"router1", "", -EINVAL}, /* not all of them */
		{"router1", LONG, -EINVAL}, {"router1", "a b", -EINVAL},
		{LONG, NULL, -EINVAL},      {"", NULL, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct router_nodes nodes = {.n = 7};
		struct err err;

		assert_int_equal(router_nodes_mean(&nodes, rows[i].router, rows[i].only, &err),
				 rows[i].rc);
		if (rows[i].rc < 0) {
			assert_contains(err.text, "is not the name of a ");
			continue;
		}
		assert_string_equal(nodes.router, rows[i].router);
		assert_string_equal(nodes.only, rows[i].only ? rows[i].only : "");
		assert_int_equal(nodes.n, 0);
	}
}

static const struct router_node node = {.name = "node0"};

/* What is told of it, without blanks. */
static char *told(int status, const char *body, size_t size)
{
	struct router_answer answer = {.status = status, .body = span_of(body, size)};
	cJSON *json;
	char *text;

	if (status == 0)
		(void)err_set(&answer.err, -ETIMEDOUT, "it hangs");
	json = router_node_told(&node, &answer);
	text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	return text;
}

static void test_what_is_told(void **state)
{
	static const struct {
		int status;
		const char *body;
		const char *part;
	} rows[] = {
		{0, "", "\"connected\":false,\"status\":0,\"answer\":null,\"error\":\"it hangs\""},
		{200, "{\"a\":1}",
		 "\"connected\":true,\"status\":200,\"answer\":{\"a\":1},\"error\":null"},
		{204, "", "\"answer\":null,\"error\":null"},
		{409, "{\"detail\":\"it is there\"}", "\"answer\":null,\"error\":\"it is there\""},
		{404, "", "\"error\":\"it answers HTTP 404, and does not say why\""},
		{404, "{\"detail\":7}", "\"error\":\"it answers HTTP 404, and does not say why\""},
		{200, "<html>", "\"error\":\"its answer, HTTP 200, cannot be read: not JSON"},
		{200, "{\"a\":1,\"a\":2}", "stands twice"},
		{200, "{} {}", "something follows"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text = told(rows[i].status, rows[i].body, strlen(rows[i].body));

		assert_contains(text, rows[i].part);
		free(text);
	}
}

/* It is parsed on the loop that everything else runs on. */
static void test_answer_that_is_too_long(void **state)
{
	const size_t size = ROUTER_ANSWER_MAX;
	char *body = malloc(size + 1);
	char *text;

	(void)state;
	memset(body, ' ', size + 1);
	memcpy(body, "{}", 2);
	text = told(200, body, size);
	assert_contains(text, "\"answer\":{}");
	free(text);
	text = told(200, body, size + 1);
	assert_contains(text, "longer than the 262144 bytes allowed");
	assert_contains(text, "\"connected\":true");
	free(text);
	free(body);
}

/* Who was enrolled with node0 when it was listed, and who is now. */
static void test_what_became_of_it(void **state)
{
	static const struct {
		struct router_node was;
		struct router_node is;
		const char *end; /* NULL = it is watched on */
	} rows[] = {
		{{"node0", 10000, true, {1}}, {"node0", 10000, true, {1}}, NULL},
		{{"node0", 10000, false, {0}}, {"node0", 10000, false, {0}}, NULL},
		{{"node0", 10000, false, {0}}, {"node0", 10000, true, {1}}, NULL},
		{{"node0", 10000, true, {1}}, {"node1", 10000, true, {1}}, "deleted meanwhile"},
		{{"node0", 10000, true, {1}}, {"node0", 10001, true, {1}}, "made again"},
		{{"node0", 10000, false, {0}}, {"node0", 10001, false, {0}}, "made again"},
		{{"node0", 10000, true, {1}}, {"node0", 10000, false, {0}}, "reset or disabled"},
		{{"node0", 10000, true, {1}}, {"node0", 10000, true, {2}}, "another key"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct router_nodes now = {.n = 2, .each = {{.name = "node9"}, rows[i].is}};
		const char *end = router_node_end(&rows[i].was, &now);

		assert_int_equal(!end, !rows[i].end);
		if (end)
			assert_contains(end, rows[i].end);
	}
}

static void test_one_that_is_not_asked(void **state)
{
	cJSON *json = router_node_not_asked(&node, 404, "it is gone");
	char *text = cJSON_PrintUnformatted(json);

	(void)state;
	assert_string_equal(text, "{\"node\":\"node0\",\"connected\":false,\"status\":404,"
				  "\"answer\":null,\"error\":\"it is gone\"}");
	free(text);
	cJSON_Delete(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_meant),
		cmocka_unit_test(test_what_is_told),
		cmocka_unit_test(test_answer_that_is_too_long),
		cmocka_unit_test(test_what_became_of_it),
		cmocka_unit_test(test_one_that_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
