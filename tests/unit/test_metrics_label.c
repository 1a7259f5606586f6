/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A label's value, whoever it is from: one line, and within its quotes. */
#include "support.h"

#include "base/macros.h"
#include "node/metrics.h"

static void test_labels(void **state)
{
	static const struct {
		const char *value;
		const char *expected;
	} rows[] = {
		{"V1", "version=\"V1\""},
		{"", "version=\"\""},
		{"a\"} 1\nforged 2", "version=\"a\\\"} 1\\\\x0aforged 2\""},
		{"back\\slash", "version=\"back\\\\slash\""},
		{"\x1b[2J", "version=\"\\\\x1b[2J\""},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		metrics_label(out, "version", rows[i].value);
		assert_int_equal(fclose(out), 0);
		assert_string_equal(text, rows[i].expected);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
