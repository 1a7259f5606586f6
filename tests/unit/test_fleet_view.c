/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which routers somebody wants to see, and in which order. */
#include "support.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "conductord/fleet_view.h"

static const struct fleet_row fleet[] = {
	{"Paris-1", ONBOARDING_STRONG, 2, 2, 2}, {"Paris-2", ONBOARDING_STRONG, 2, 1, 0},
	{"a.b", ONBOARDING_WEAK, 1, 1, 0},       {"a_b", ONBOARDING_DISABLED, 0, 0, 0},
	{"paris", ONBOARDING_PSK_ONLY, 2, 2, 1},
};

static void test_views(void **state)
{
	static const struct {
		struct fleet_words words;
		const char *names;
	} rows[] = {
		{{NULL}, "Paris-1 Paris-2 a.b a_b paris "},
		{{.sort = "-name"}, "paris a_b a.b Paris-2 Paris-1 "},
		{{.name = "PARIS"}, "Paris-1 Paris-2 paris "},
		{{.name = "s-"}, "Paris-1 Paris-2 "},
		{{.name = "_"}, "a_b "}, /* it stands for itself, and so does the dot */
		{{.name = "a.b"}, "a.b "},
		{{.name = ""}, "Paris-1 Paris-2 a.b a_b paris "},
		{{.name = "nobody"}, ""},
		{{.mode = "strong"}, "Paris-1 Paris-2 "},
		{{.mode = "disabled"}, "a_b "},
		{{.enrolled = "any"}, "Paris-1 Paris-2 a.b a_b paris "},
		{{.enrolled = "all"}, "Paris-1 a.b paris "}, /* without nodes it has not all */
		{{.enrolled = "some"}, "Paris-2 "},
		{{.enrolled = "none"}, "a_b "},
		{{.connected = "none"}, "Paris-2 a.b a_b "},
		{{.connected = "some"}, "paris "},
		{{.connected = "all"}, "Paris-1 "},
		{{.enrolled = "all", .connected = "none"}, "a.b "},
		{{.sort = "mode"}, "a_b paris a.b Paris-1 Paris-2 "},
		{{.sort = "-mode"}, "Paris-1 Paris-2 a.b paris a_b "},
		{{.sort = "-connected"}, "Paris-1 paris Paris-2 a.b a_b "},
		{{.sort = "enrolled"}, "a_b Paris-2 a.b Paris-1 paris "},
		{{.sort = "nodes"}, "a_b a.b Paris-1 Paris-2 paris "},
	};

	(void)state;
	for (size_t row = 0; row < N_ELEMENTS(rows); row++) {
		struct fleet_row copy[N_ELEMENTS(fleet)];
		struct fleet_view view;
		char names[256] = "";
		struct err err;
		size_t n;

		memcpy(copy, fleet, sizeof(fleet));
		assert_int_equal(fleet_view_read(&view, &rows[row].words, &err), 0);
		n = fleet_view_apply(&view, copy, N_ELEMENTS(fleet));
		for (size_t i = 0; i < n; i++) {
			strcat(names, copy[i].name);
			strcat(names, " ");
		}
		assert_string_equal(names, rows[row].names);
	}
}

static void test_words_that_are_none(void **state)
{
	static const struct {
		struct fleet_words words;
		const char *said;
	} rows[] = {
		{{.name = "a b"}, "name: "},
		{{.name = "%"}, "name: "},
		{{.mode = ""}, "mode: "},
		{{.mode = "stronger"}, "mode: "},
		{{.enrolled = ""}, "enrolled: "},
		{{.connected = "few"}, "connected: "},
		{{.sort = "--name"}, "sort: "},
		{{.sort = "-"}, "sort: "},
		{{.sort = "colour"}, "sort: "},
		{{.name = "a23456789012345678901234567890123456789012345678901234567890abcd"},
		 "name: "},
	};

	(void)state;
	for (size_t row = 0; row < N_ELEMENTS(rows); row++) {
		struct fleet_view view = {.order = FLEET_BY_NODES};
		struct err err = {0};

		assert_int_equal(fleet_view_read(&view, &rows[row].words, &err), -EINVAL);
		assert_memory_equal(err.text, rows[row].said, strlen(rows[row].said));
		assert_int_equal(view.order, FLEET_BY_NODES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_words_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
