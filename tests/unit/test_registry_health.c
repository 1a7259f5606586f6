/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a registry that does not answer is asked again, and with how much patience: no clock but the
 * test's. */
#include "support.h"

#include <errno.h>

#include "base/macros.h"
#include "conductor/registry/registry_health.h"

#define CALL_MS  5000
#define PROBE_MS 2500
#define ALONE_MS 1000

static struct registry_health health;

static int set_up(void **state)
{
	(void)state;
	return registry_health_init(&health, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	registry_health_release(&health);
	return 0;
}

static void note(enum registry_kind kind, int code, bool both, bool alone, uint64_t now_ms)
{
	struct registry_ending ending = {
		.kind = kind,
		.began_ms = now_ms > CALL_MS ? now_ms - CALL_MS : 0,
		.is_of_both = both,
		.is_left_alone = alone,
	};

	if (code < 0)
		(void)err_set(&ending.err, code, "hangs at %u", (unsigned)now_ms);
	registry_health_note(&health, &ending, now_ms);
}

static uint64_t patience(enum registry_kind kind, uint64_t now_ms)
{
	struct err err = {0};
	uint64_t ms = registry_health_patience_ms(&health, kind, now_ms, &err);

	assert_int_equal(ms == 0, err.code < 0);
	return ms;
}

static void test_one_finds_out_for_all(void **state)
{
	struct registry_outage outage;
	enum registry_kind kind;

	(void)state;
	assert_int_equal(patience(REGISTRY_READS, 0), CALL_MS);
	assert_false(registry_health_outage(&health, &outage, &kind));
	note(REGISTRY_READS, -ETIMEDOUT, true, true, 5000);
	for (enum registry_kind each = REGISTRY_READS; each < N_REGISTRY_KINDS; each++) {
		assert_int_equal(patience(each, 5001), 0);
		assert_int_equal(patience(each, 5000 + ALONE_MS - 1), 0);
		assert_int_equal(patience(each, 5000 + ALONE_MS), PROBE_MS);
	}
	/* Since when: since the first was asked. Why: what the last heard. */
	note(REGISTRY_READS, -ETIMEDOUT, true, true, 9000);
	assert_true(registry_health_outage(&health, &outage, &kind));
	assert_int_equal(outage.since_ms, 0);
	assert_string_equal(outage.why.text, "hangs at 9000");
	note(REGISTRY_WRITES, 0, false, false, 10000);
	assert_false(registry_health_outage(&health, &outage, &kind));
	assert_int_equal(patience(REGISTRY_READS, 10000), CALL_MS);
}

/* A file that somebody else writes to can be read. */
static void test_a_lock_stops_only_who_writes(void **state)
{
	struct registry_outage outage;
	enum registry_kind kind;

	(void)state;
	note(REGISTRY_WRITES, -ETIMEDOUT, false, true, 5000);
	assert_int_equal(patience(REGISTRY_WRITES, 5001), 0);
	assert_int_equal(patience(REGISTRY_READS, 5001), CALL_MS);
	note(REGISTRY_READS, 0, false, false, 5002);
	assert_true(registry_health_outage(&health, &outage, &kind));
	assert_int_equal(kind, REGISTRY_WRITES);
	note(REGISTRY_WRITES, 0, false, false, 7000);
	assert_false(registry_health_outage(&health, &outage, &kind));
}

/* A connection that was lost may be made again at once. */
static void test_what_is_not_left_alone(void **state)
{
	struct registry_outage outage;
	enum registry_kind kind;

	(void)state;
	note(REGISTRY_READS, -ECONNRESET, true, false, 5000);
	assert_true(registry_health_outage(&health, &outage, &kind));
	assert_int_equal(patience(REGISTRY_READS, 5000), PROBE_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_finds_out_for_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_lock_stops_only_who_writes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
