/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a secret stands at a node, and who must have a copy: all that can be. */
#include "support.h"

#include "base/macros.h"
#include "conductor/registry/secret_rules.h"

static void test_states(void **state)
{
	static const struct {
		struct secret_facts facts; /* knows keys, is sealed, fits, is at a conductor */
		enum secret_state state;
	} rows[] = {
		/* The node has not told its keys: it may have had these before. */
		{{false, false, false, false}, SECRET_LOST},
		{{false, false, false, true}, SECRET_WAITING},
		{{false, true, false, false}, SECRET_WAITING},
		{{false, true, false, true}, SECRET_WAITING},
		{{false, true, true, false}, SECRET_WAITING},
		/* It has. */
		{{true, true, true, false}, SECRET_SET},
		{{true, true, true, true}, SECRET_SET},
		{{true, true, false, false}, SECRET_LOST},
		{{true, true, false, true}, SECRET_WAITING},
		{{true, false, false, false}, SECRET_LOST},
		{{true, false, false, true}, SECRET_WAITING},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (secret_state_of(&rows[i].facts) != rows[i].state)
			fail_msg("row %zu: %s", i,
				 secret_state_name(secret_state_of(&rows[i].facts)));
}

static void test_copies(void **state)
{
	static const struct {
		enum secret_state nodes[3];
		size_t n;
		bool needed;
	} rows[] = {
		{{SECRET_SET}, 0, true}, /* its nodes come later */
		{{SECRET_SET}, 1, false},
		{{SECRET_WAITING}, 1, true},
		{{SECRET_LOST}, 1, true},
		{{SECRET_SET, SECRET_SET}, 2, false},
		{{SECRET_SET, SECRET_WAITING}, 2, true},
		{{SECRET_WAITING, SECRET_SET, SECRET_SET}, 3, true},
		{{SECRET_SET, SECRET_SET, SECRET_SET}, 3, false},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (secret_copies_are_needed(rows[i].nodes, rows[i].n) != rows[i].needed)
			fail_msg("row %zu", i);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(secret_state_name(SECRET_SET), "set");
	assert_string_equal(secret_state_name(SECRET_WAITING), "waiting");
	assert_string_equal(secret_state_name(SECRET_LOST), "to be set again");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
