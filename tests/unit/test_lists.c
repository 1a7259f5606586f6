/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists as they are answered: their text, and the places at which a page begins. */
#include "support.h"

#include "base/macros.h"
#include "conductord/list_place.h"
#include "conductord/list_text.h"

static void test_text(void **state)
{
	struct list_text list;
	struct err err;

	(void)state;
	assert_int_equal(list_text_begin(&list, "rows", &err), 0);
	assert_int_equal(list_text_end(&list, NULL, NULL, &err), 0);
	assert_string_equal(list.text, "{\"rows\":[]}");
	list_text_release(&list);
	assert_int_equal(list_text_begin(&list, "rows", &err), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(list_text_add(&list, cJSON_CreateString("a\"b"), &err), 0);
	assert_int_equal(list_text_end(&list, "more", cJSON_CreateArray(), &err), 0);
	assert_string_equal(list.text, "{\"rows\":[\"a\\\"b\",\"a\\\"b\",\"a\\\"b\"],\"more\":[]}");
	assert_int_equal(list.n, 3);
	list_text_release(&list);
	/* Longer than the memory that it begins with. */
	assert_int_equal(list_text_begin(&list, "rows", &err), 0);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(list_text_add(&list, cJSON_CreateNumber(i), &err), 0);
	assert_int_equal(list_text_end(&list, NULL, NULL, &err), 0);
	assert_int_equal(list.size, strlen(list.text));
	assert_string_equal(list.text + list.size - 11, ",4998,4999]}" + 1);
	list_text_release(&list);
}

static void test_places(void **state)
{
	static const struct {
		const char *text;
		bool expected; /* number, word, number */
	} rows[] = {
		{"1800000000/c-1/17", true},
		{"0/c/999999999999999999", true},
		{"0/c/1000000000000000000", false},
		{"1/c", false},
		{"1/c/", false},
		{"1/c/2/", false},
		{"1/c/2/3", false},
		{"1//2", false},
		{"/1/c/2", true}, /* a "/" before the first part is none of a name */
		{"", false},
		{"-1/c/2", false},
		{"+1/c/2", false},
		{"1/c/2x", false},
		{"1/longer-than-8/2", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		const char *at = rows[i].text;
		char word[8];
		int64_t first;
		int64_t last;

		assert_int_equal(list_place_number(&at, &first) &&
					 list_place_word(&at, word, sizeof(word)) &&
					 list_place_number(&at, &last) && list_place_ends(at),
				 rows[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
