/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long a router waits before its next try. */
#include "support.h"

#include "base/macros.h"
#include "onboarding/router/backoff.h"

/* Every wait is between half and whole of these seconds, then of 60 for ever. */
static const uint32_t whole_s[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};

static uint32_t whole_ms(unsigned i)
{
	return 1000 * (i < N_ELEMENTS(whole_s) ? whole_s[i] : 60);
}

static void test_bounds(void **state)
{
	static const uint32_t randoms[] = {0,         1, 499, 500, 30000, 30001, UINT32_MAX - 1,
					   UINT32_MAX};

	(void)state;
	for (unsigned r = 0; r < N_ELEMENTS(randoms); r++) {
		struct backoff b = {0};

		for (unsigned i = 0; i < 1000; i++)
			assert_in_range(backoff_next_ms(&b, randoms[r]), whole_ms(i) / 2,
					whole_ms(i));
	}
}

/* A conductor that is down for an hour: how often it is asked, and that it is asked within a
 * minute of its coming back. */
static void test_an_hour(void **state)
{
	uint64_t random = 4711;

	(void)state;
	for (unsigned day = 0; day < 100; day++) {
		struct backoff b = {0};
		uint64_t now_ms = 0;
		uint64_t last_ms = 0;
		unsigned tries = 0;

		for (; now_ms < 3600000; tries++) {
			last_ms = now_ms;
			now_ms += backoff_next_ms(&b, (uint32_t)test_random(&random));
		}
		assert_in_range(tries, 60, 127);
		assert_true(now_ms - last_ms <= BACKOFF_MAX_MS);
	}
}

/* A thousand routers that wait for the same conductor do not come in the same second. */
static void test_jitter(void **state)
{
	unsigned in_second[31] = {0};
	uint64_t random = 4711;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct backoff b = {.failures = 6};

		in_second[(backoff_next_ms(&b, (uint32_t)test_random(&random)) - 30000) / 1000]++;
	}
	for (unsigned s = 0; s < 30; s++)
		assert_in_range(in_second[s], 10, 70);
}

static void test_reset(void **state)
{
	struct backoff b = {0};

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		(void)backoff_next_ms(&b, 0);
	assert_int_equal(backoff_next_ms(&b, 0), 60000);
	backoff_reset(&b);
	assert_int_equal(backoff_next_ms(&b, 0), 1000);
	assert_int_equal(backoff_next_ms(&b, 0), 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_an_hour),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
