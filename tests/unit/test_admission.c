/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is let in on the open port, over simulated time. */
#include "support.h"

#include <arpa/inet.h>

#include "base/macros.h"
#include "conductor/enrolment/admission.h"
#include "faults.h"

#define START_MS 1000000

static const struct admission_options defaults = {
	.silent_places = 64,
	.rate_per_s = 1,
	.burst = 5,
	.seed = 4711,
};

static struct admission *make(void)
{
	struct admission *a = admission_new(&defaults);

	assert_non_null(a);
	return a;
}

static bool admit(struct admission *a, const char *address, uint64_t now_ms)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return admission_admit(a, (struct sockaddr *)&v4, now_ms);
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return admission_admit(a, (struct sockaddr *)&v6, now_ms);
}

static unsigned admit_many(struct admission *a, const char *address, unsigned n, uint64_t now_ms)
{
	unsigned admitted = 0;

	while (n-- > 0)
		admitted += admit(a, address, now_ms);
	return admitted;
}

static void test_rate(void **state)
{
	static const struct {
		uint64_t after_ms; /* the last row's */
		unsigned tries;
		unsigned admitted;
	} rows[] = {
		{0, 4, 4},        {0, 4, 1}, /* five at once */
		{999, 2, 0},                 /* and one a second */
		{1, 2, 1},        {2500, 5, 2},
		{500, 5, 1},      /* the half second from before counts */
		{3600000, 10, 5}, /* an hour fills it, no more */
	};
	struct admission *a = make();
	uint64_t now = START_MS;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		unsigned admitted;

		now += rows[i].after_ms;
		admitted = admit_many(a, "192.0.2.1", rows[i].tries, now);
		if (admitted != rows[i].admitted)
			fail_msg("row %u: %u admitted", i, admitted);
	}
	admission_free(a);
}

static void test_what_an_address_is(void **state)
{
	static const struct {
		const char *first, *second;
		bool same;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true}, /* as a listener for both sees it */
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:2", true}, /* one /64 */
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"::1", "::2", true},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct admission *a = make();

		assert_int_equal(admit_many(a, rows[i].first, 9, START_MS), 5);
		if (admit(a, rows[i].second, START_MS) == rows[i].same)
			fail_msg("row %u", i);
		admission_free(a);
	}
}

static void test_no_limit(void **state)
{
	struct admission_options options = defaults;
	struct admission *a;

	(void)state;
	options.rate_per_s = 0;
	a = admission_new(&options);
	assert_int_equal(admit_many(a, "192.0.2.1", 100000, START_MS), 100000);
	admission_free(a);
	options.rate_per_s = 100;
	options.burst = 10;
	a = admission_new(&options);
	assert_int_equal(admit_many(a, "192.0.2.1", 100, START_MS), 10);
	assert_int_equal(admit_many(a, "192.0.2.1", 100, START_MS + 50), 5);
	admission_free(a);
}

/* Another one is let in whatever four others do, for two minutes. */
static void test_fifth_address(void **state)
{
	static const char *const four[] = {"192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1"};
	struct admission *a = make();
	unsigned admitted = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) /* silent ones, at once */
		admitted += admit(a, four[i % 4], START_MS);
	for (unsigned i = 0; i < 200 * 120; i++)
		admitted += admit(a, four[i % 4], START_MS + i * 5);
	assert_in_range(admitted, 4 * (5 + 118), 4 * (5 + 120));
	assert_int_equal(admit_many(a, "203.0.113.9", 5, START_MS + 120000), 5);
	admission_free(a);
}

/* More addresses than the table holds: a new one is let in, whoever is forgotten for it. */
static void test_a_million_addresses(void **state)
{
	struct admission *a = make();
	struct sockaddr_in peer = {.sin_family = AF_INET};
	uint64_t now = START_MS;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		peer.sin_addr.s_addr = htonl(0x0a000000 + i);
		now += i % 20 == 0;
		if (!admission_admit(a, (struct sockaddr *)&peer, now))
			fail_msg("address %u", i);
	}
	assert_true(admit(a, "203.0.113.9", now));
	admission_free(a);
}

static void test_newcomer_takes_the_oldest_place(void **state)
{
	struct admission *a = make();
	admission_ticket tickets[65];
	admission_ticket shown_out;
	uint64_t since;

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		tickets[i] = admission_enter(a, START_MS + i, &shown_out);
		assert_int_not_equal(tickets[i], 0);
		assert_int_equal(shown_out, 0);
	}
	assert_int_equal(admission_oldest(a, &since), tickets[0]);
	assert_int_equal(since, START_MS);
	admission_leave(a, tickets[0]); /* it spoke */
	admission_leave(a, tickets[0]);
	assert_int_equal(admission_count(a), 63);
	tickets[64] = admission_enter(a, START_MS + 100, &shown_out);
	assert_int_equal(shown_out, 0);
	(void)admission_enter(a, START_MS + 101, &shown_out);
	assert_int_equal(shown_out, tickets[1]);
	admission_leave(a, tickets[1]); /* nobody's any more */
	assert_int_equal(admission_count(a), 64);
	assert_int_equal(admission_oldest(a, &since), tickets[2]);
	admission_free(a);
}

static void test_tickets_are_not_used_again_soon(void **state)
{
	struct admission_options options = defaults;
	struct admission *a;
	admission_ticket shown_out;
	admission_ticket first;

	(void)state;
	options.silent_places = 1;
	a = admission_new(&options);
	first = admission_enter(a, START_MS, &shown_out);
	for (unsigned i = 0; i < 65534; i++) {
		admission_ticket next = admission_enter(a, START_MS, &shown_out);

		if (next == first || next == 0 || admission_place(next) != 0)
			fail_msg("ticket %u after %u", next, i);
	}
	assert_int_equal(admission_count(a), 1);
	admission_free(a);
}

/* Whatever comes and goes, a line is a list by age, and its count is right. */
static void test_lines_at_random(void **state)
{
	struct admission_options options = defaults;
	struct admission *a;
	admission_ticket in[16] = {0};
	uint64_t random = 4711;
	uint32_t n = 0;

	(void)state;
	options.silent_places = N_ELEMENTS(in);
	a = admission_new(&options);
	for (unsigned i = 0; i < 100000; i++) {
		uint32_t place = (uint32_t)(test_random(&random) % N_ELEMENTS(in));
		admission_ticket shown_out;
		uint64_t since;

		if (test_random(&random) % 2 && in[place]) {
			admission_leave(a, in[place]);
			in[place] = 0;
			n--;
		} else {
			admission_ticket oldest = admission_oldest(a, &since);
			admission_ticket new = admission_enter(a, i, &shown_out);

			assert_int_equal(shown_out, n == N_ELEMENTS(in) ? oldest : 0);
			n += shown_out == 0;
			in[admission_place(new)] = new;
		}
		assert_int_equal(admission_count(a), n);
	}
	admission_free(a);
}

static void test_no_memory(void **state)
{
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		struct admission *a;

		faults_fail_allocation(n);
		a = admission_new(&defaults);
		if (!faults_had_effect()) {
			assert_non_null(a);
			admission_free(a);
			break;
		}
		assert_null(a);
	}
	assert_int_equal(n, 1 + 2);
	admission_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_what_an_address_is),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_fifth_address),
		cmocka_unit_test(test_a_million_addresses),
		cmocka_unit_test(test_newcomer_takes_the_oldest_place),
		cmocka_unit_test(test_tickets_are_not_used_again_soon),
		cmocka_unit_test(test_lines_at_random),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
