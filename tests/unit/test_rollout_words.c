/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is drawn for which phase of a rollout, and the words of its command. */
#include "support.h"

#include <cjson/cJSON.h>

#include "base/macros.h"
#include "conductor/rollout/rollout_draw.h"
#include "conductord/rollout_visit.h"
#include "stewardctl/rollout_words.h"

static void test_draw(void **state)
{
	enum { N = 1000 };
	static struct rollout_candidate first[N], second[N];
	static char names[N][16];
	unsigned rare = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "router-%u", i);
		first[i] = (struct rollout_candidate){.name = names[i],
						      .value = i < 100 ? "rare" : "often"};
		second[N - 1 - i] = first[i];
	}
	rollout_draw(first, N, "night");
	rollout_draw(second, N, "night");
	for (unsigned i = 0; i < N; i++) {
		assert_string_equal(first[i].name, second[i].name);
		rare += strcmp(first[i].value, "rare") == 0;
		if ((i + 1) % 10 == 0) /* a tenth of each ten */
			assert_in_range(rare, (i + 1) / 10 - 1, (i + 1) / 10 + 1);
	}
	rollout_draw(second, N, "day");
	rare = 0;
	for (unsigned i = 0; i < N; i++)
		rare += strcmp(first[i].name, second[i].name) == 0;
	assert_in_range(rare, 0, N / 10); /* another order */
}

static void test_phases(void **state)
{
	static const struct {
		const char *texts[4];
		uint32_t n;
		const char *ends; /* NULL = refused */
	} rows[] = {
		{{"1", "5%", "25%", "100%"}, 1000, "1 50 250 1000"},
		{{"1", "5%", "25%", "100%"}, 3, "1 3"},
		{{"1", "5%", "25%", "100%"}, 1, "1"},
		{{"1", "5%", "25%"}, 101, "1 6 26 101"},
		{{NULL}, 7, "7"},
		{{"9"}, 7, "7"},
		{{"5", "3"}, 7, "5 7"},
		{{"0"}, 7, NULL},
		{{"0%"}, 7, NULL},
		{{"101%"}, 7, NULL},
		{{"-1"}, 7, NULL},
		{{"5x"}, 7, NULL},
		{{""}, 7, NULL},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct rollout_plan plan = {.n = rows[i].n};
		char ends[64] = "";
		size_t used = 0;
		size_t n = 0;
		struct err err;
		int rc;

		while (n < 4 && rows[i].texts[n])
			n++;
		rc = rollout_phases(&plan, rows[i].texts, n, &err);
		for (unsigned p = 0; p < plan.n_phases; p++)
			used += (size_t)snprintf(ends + used, sizeof(ends) - used, "%s%u",
						 p ? " " : "", plan.phase_ends[p]);
		if (!rows[i].ends)
			assert_int_equal(rc, -EINVAL);
		else if (rc < 0 || strcmp(ends, rows[i].ends) != 0)
			fail_msg("row %u: %s", i, ends);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *line;
		const char *json; /* or a part of the message */
		bool refused;
	} rows[] = {
		{"version V all", "{\"version\":\"V\",\"selector\":{\"all\":true}}", false},
		{"version V router label b sequenced",
		 "{\"version\":\"V\",\"selector\":{\"routers\":[\"label\",\"b\"]},"
		 "\"sequenced\":true}",
		 false},
		{"label a 1 label b 2 version V phases 1,5% parallel 3 failures 2% soak 5",
		 "{\"selector\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}},\"version\":\"V\","
		 "\"phases\":[\"1\",\"5%\"],\"parallel\":3,\"failures\":\"2%\",\"soak\":5}",
		 false},
		{"version V all window mon-fri 22:00-05:00 Europe/Berlin approve yes finish no",
		 "{\"version\":\"V\",\"selector\":{\"all\":true},\"window\":[{\"days\":\"mon-fri\","
		 "\"from\":\"22:00\",\"to\":\"05:00\"}],\"zone\":\"Europe/Berlin\","
		 "\"approve\":true,\"finish\":false}",
		 false},
		{"version V all window sat 00:00-24:00 spread site deadline 1970-01-02T00:00",
		 "{\"version\":\"V\",\"selector\":{\"all\":true},\"window\":[{\"days\":\"sat\","
		 "\"from\":\"00:00\",\"to\":\"24:00\"}],\"spread\":\"site\",\"deadline\":86400}",
		 false},
		{"version V all deadline 2h",
		 "{\"version\":\"V\",\"selector\":{\"all\":true},\"deadline\":8200}", false},
		{"all", "version V", true},
		{"version V", "all, router R... or label NAME VALUE", true},
		{"version V all lunch", "found 'lunch'", true},
		{"version V version W all", "'version' stands twice", true},
		{"version V label a 1 label a 2", "'label a' stands twice", true},
		{"version V label a", "label NAME VALUE", true},
		{"version V all parallel x", "a number", true},
		{"version V all approve maybe", "yes or no", true},
		{"version V all window mon", "hours such as", true},
		{"version V all window mon 22:00", "hours such as", true},
		{"version V all deadline soon", "a time such as", true},
		{"version V all deadline 2hh", "a time such as", true},
		{"version V router", "expected router", true},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		cJSON *json = cJSON_CreateObject();
		char buffer[256];
		char message[256] = "";
		char *words[32];
		char *text;
		int n = 0;
		int rc;

		(void)snprintf(buffer, sizeof(buffer), "%s", rows[i].line);
		for (char *word = strtok(buffer, " "); word; word = strtok(NULL, " "))
			words[n++] = word;
		rc = rollout_words_read(json, n, words, 1000, message, sizeof(message));
		text = cJSON_PrintUnformatted(json);
		if (rc != (rows[i].refused ? -1 : 0) ||
		    (rows[i].refused ? !strstr(message, rows[i].json)
				     : strcmp(text, rows[i].json) != 0))
			fail_msg("%s: %d %s %s", rows[i].line, rc, message, text);
		free(text);
		cJSON_Delete(json);
	}
}

/* What is said of two nodes that differ. */
static void test_two_nodes(void **state)
{
	static const enum rollout_told order[] = {
		ROLLOUT_TOLD_REFUSED, ROLLOUT_TOLD_FAILED, ROLLOUT_TOLD_LOST, ROLLOUT_TOLD_NOTHING,
		ROLLOUT_TOLD_GOES_ON, ROLLOUT_TOLD_PAUSED, ROLLOUT_TOLD_DONE,
	};

	(void)state;
	for (unsigned a = 0; a < N_ELEMENTS(order); a++)
		for (unsigned b = a; b < N_ELEMENTS(order); b++) {
			assert_int_equal(rollout_visit_join(order[a], order[b]), order[a]);
			assert_int_equal(rollout_visit_join(order[b], order[a]), order[a]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_draw),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_two_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
