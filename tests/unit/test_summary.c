/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the registry said is kept while it does not answer. */
#include "registry_world.h"

#include "base/macros.h"
#include "conductord/summary.h"

static char nowhere[] = "/nowhere";

static void test_what_was_counted_stays(struct registry_world *w)
{
	const struct config_conductor config = {
		.certificate = nowhere, .private_key = nowhere, .ca_certificate = nowhere};
	struct summary s = {0};

	world_configure(w->r, ONBOARDING_WEAK);
	summary_take(&s, w->r, &config, NULL, NULL, WORLD_NOW_S);
	assert_string_equal(s.problem, "");
	assert_int_equal(s.counts.routers[ONBOARDING_WEAK], 1);
	assert_int_equal(s.counts.nodes, 1);
	assert_int_equal(s.counts.tokens_valid, 1);
	/* Not to be had: a router that there is not stands for any failure. */
	summary_take(&s, w->r, &config, NULL, "nobody", WORLD_NOW_S + 60);
	assert_int_equal(s.error, -ENOENT);
	assert_string_not_equal(s.problem, "");
	assert_int_equal(s.at_s, WORLD_NOW_S + 60);
	assert_int_equal(s.counts.routers[ONBOARDING_WEAK], 1);
	assert_int_equal(s.counts.tokens_valid, 1);
	/* And what it says next is all there is. */
	summary_take(&s, w->r, &config, NULL, NULL, WORLD_NOW_S + 2 * 86400);
	assert_string_equal(s.problem, "");
	assert_int_equal(s.error, 0);
	assert_int_equal(s.counts.tokens_valid, 0);
	assert_int_equal(s.counts.tokens_expired, 1);
}

static void test_clock_that_was_set_back(struct registry_world *w)
{
	const struct config_conductor config = {
		.certificate = nowhere, .private_key = nowhere, .ca_certificate = nowhere};
	struct summary s = {0};

	summary_take(&s, w->r, &config, NULL, NULL, WORLD_NOW_S);
	assert_string_equal(s.clock_problem, "");
	summary_take(&s, w->r, &config, NULL, NULL, WORLD_NOW_S - 3600);
	assert_string_not_equal(s.clock_problem, "");
	summary_take(&s, w->r, &config, NULL, NULL, WORLD_NOW_S + 60);
	assert_string_equal(s.clock_problem, "");
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_what_was_counted_stays),
		REGISTRY_TEST(test_clock_that_was_set_back),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
