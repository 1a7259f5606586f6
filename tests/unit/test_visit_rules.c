/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a router is called again, and when it is let go. */
#include "support.h"

#include "base/macros.h"
#include "conductord/visit_rules.h"

static void test_what_follows_an_answer(void **state)
{
	static const struct {
		int status;
		unsigned calls;
		enum visit_next next;
	} rows[] = {
		{200, 1, VISIT_DONE},
		{204, 1000, VISIT_DONE},
		{0, 1, VISIT_AGAIN}, /* its forwarding comes a moment later */
		{0, 59, VISIT_AGAIN},
		{0, 60, VISIT_LET_GO},
		{409, 1, VISIT_AGAIN}, /* it has not heard of its enrolment */
		{409, 60, VISIT_AGAIN},
		{409, 100000, VISIT_AGAIN}, /* it tries a newer token, for a day */
		{500, 1, VISIT_AGAIN},      /* its disk is full */
		{500, 1000, VISIT_AGAIN},
		{0, 1000, VISIT_LET_GO}, /* and has gone */
		{400, 1, VISIT_REFUSED},
		{404, 1, VISIT_REFUSED},
		{302, 1, VISIT_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (visit_judge(rows[i].status, rows[i].calls) != rows[i].next)
			fail_msg("row %zu", i);
}

static void test_soon_and_then_without_haste(void **state)
{
	uint64_t sum_ms = 0;

	(void)state;
	for (unsigned calls = 1; calls < 60; calls++)
		sum_ms += visit_wait_ms(calls);
	assert_int_equal(sum_ms, 29500);
	assert_int_equal(visit_wait_ms(60), 30000);
	assert_int_equal(visit_wait_ms(1000), 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_follows_an_answer),
		cmocka_unit_test(test_soon_and_then_without_haste),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
