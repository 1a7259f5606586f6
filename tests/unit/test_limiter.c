/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bandwidth budget: exact over time, whatever the size of reads. */
#include "support.h"

#include "base/macros.h"
#include "download/engine/limiter.h"

/* Reads of size bytes, as soon as each is allowed, for 10 s. Returns bytes. */
static uint64_t receive_for_10_s(struct limiter *limiter, uint64_t size, uint64_t *now_ms)
{
	uint64_t end = *now_ms + 10000;
	uint64_t received = 0;

	while (*now_ms < end) {
		uint64_t wait = limiter_wait_ms(limiter, *now_ms);

		if (wait > 0) {
			*now_ms += wait;
			continue;
		}
		limiter_spend(limiter, size, *now_ms);
		received += size;
	}
	return received;
}

static void test_mean_is_exact(void **state)
{
	static const struct {
		uint64_t rate_bps;
		uint64_t read_bytes;
	} rows[] = {
		{1000000, 1},        /* a byte at a time */
		{1000000, 1448},     /* a segment */
		{8000000, 16384},    /* libcurl's default */
		{8000000, 65536},    /* more than 50 ms bring */
		{1000000000, 65536}, /* a gigabit */
		{64000, 1448},       /* the slowest the model allows to matter */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct limiter limiter;
		uint64_t now = 5000;
		double expected = (double)rows[i].rate_bps * 10 / 8;
		double got;

		limiter_init(&limiter, rows[i].rate_bps, now);
		got = (double)receive_for_10_s(&limiter, rows[i].read_bytes, &now);
		if (got > expected * 1.03 + (double)rows[i].read_bytes || got < expected * 0.97)
			fail_msg("row %u: %.0f bytes, expected %.0f", i, got, expected);
	}
}

static void test_unlimited(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 0, 0);
	limiter_spend(&limiter, UINT64_C(1) << 50, 0);
	assert_int_equal(limiter_wait_ms(&limiter, 0), 0);
	assert_true(limiter_allows(&limiter, 0));
}

static void test_burst_is_50_ms(void **state)
{
	struct limiter limiter;
	uint64_t day = 86400000;

	(void)state;
	limiter_init(&limiter, 8000000, 0); /* 1000 bytes a millisecond */
	assert_in_range(limiter_budget(&limiter, day), 50000, 50001);
}

static void test_debt_is_paid(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 8000000, 0);
	limiter_spend(&limiter, 150000, 0); /* 50 ms were there */
	assert_false(limiter_allows(&limiter, 0));
	assert_in_range(limiter_wait_ms(&limiter, 0), 100, 101);
	assert_false(limiter_allows(&limiter, 99));
	assert_true(limiter_allows(&limiter, 101));
}

static void test_new_rate_counts_at_once(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, 8000, 0); /* a byte a millisecond */
	limiter_spend(&limiter, 10050, 0);
	assert_in_range(limiter_wait_ms(&limiter, 0), 10000, 10001);
	limiter_set_rate(&limiter, 8000000, 0);
	assert_in_range(limiter_wait_ms(&limiter, 0), 10,
			11); /* the debt is kept, and paid faster */
	limiter_set_rate(&limiter, 0, 0);
	assert_true(limiter_allows(&limiter, 0));
}

static void test_sleep_of_years(void **state)
{
	struct limiter limiter;

	(void)state;
	limiter_init(&limiter, UINT64_C(100000000000), 0); /* the model's largest */
	limiter_spend(&limiter, 1 << 30, 0);
	assert_true(limiter_allows(&limiter, UINT64_C(1) << 45));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mean_is_exact),
		cmocka_unit_test(test_unlimited),
		cmocka_unit_test(test_burst_is_50_ms),
		cmocka_unit_test(test_debt_is_paid),
		cmocka_unit_test(test_new_rate_counts_at_once),
		cmocka_unit_test(test_sleep_of_years),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
