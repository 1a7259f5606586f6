/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which images go so that another one has room. */
#include "support.h"

#include "base/macros.h"
#include "conductord/room_rules.h"

#define NOW  INT64_C(1800000000)
#define OLD  .used_s = NOW - 7200
#define KEPT .is_kept = true

static const struct {
	struct room_image images[4];
	uint64_t need;
	uint64_t max;
	bool fits;
	const char *go; /* one letter an image, 'x' = it goes */
} rows[] = {
	{{{10, OLD}}, 10, 20, true, "...."}, /* it fits as it is */
	{{{10, OLD}}, 11, 20, true, "x..."},
	{{{.size = 0}}, 20, 20, true, "...."},
	{{{.size = 0}}, 21, 20, false, "...."},
	{{{10, OLD}, {10, OLD}}, 21, 20, false, "...."}, /* nothing goes in vain */
	/* The one that was used longest ago. */
	{{{10, .used_s = NOW - 3000}, {10, .used_s = NOW - 5000}, {10, .used_s = NOW - 4000}},
	 10,
	 30,
	 true,
	 ".x.."},
	{{{10, .used_s = NOW - 3000}, {10, .used_s = NOW - 5000}, {10, .used_s = NOW - 4000}},
	 11,
	 30,
	 true,
	 ".xx."},
	{{{10, .used_s = NOW - 3000}, {10, .used_s = NOW - 5000}, {10, .used_s = NOW - 4000}},
	 30,
	 30,
	 true,
	 "xxx."},
	{{{1, .used_s = NOW - 5000}, {10, .used_s = NOW - 4000}},
	 5,
	 11,
	 true,
	 "xx.."}, /* not the one that would do */
	/* Never those. */
	{{{10, OLD, KEPT}, {10, .used_s = NOW - 700}}, 10, 20, true, ".x.."},
	{{{10, OLD, KEPT}, {10, OLD, KEPT}}, 10, 20, false, "...."},
	{{{10, OLD, KEPT}, {10, .used_s = NOW - 700}}, 11, 20, false, "...."},
	/* Being served, up to ten minutes after the last request. */
	{{{10, .used_s = NOW}}, 10, 15, false, "...."},
	{{{10, .used_s = NOW - ROOM_SERVED_S + 1}}, 10, 15, false, "...."},
	{{{10, .used_s = NOW - ROOM_SERVED_S}}, 10, 15, true, "x..."},
	{{{10, .used_s = NOW - 100}, {10, .used_s = NOW - 700}}, 10, 20, true, ".x.."},
	/* The clock was set back: it goes, but last. */
	{{{10, .used_s = NOW + 86400}}, 10, 15, true, "x..."},
	{{{10, .used_s = NOW + 86400}, {10, .used_s = NOW - 700}}, 10, 20, true, ".x.."},
};

static void test_choice(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct room_image images[4];
		size_t n = 0;

		memcpy(images, rows[i].images, sizeof(images));
		while (n < 4 && images[n].size > 0)
			n++;
		if (room_choose(images, n, rows[i].need, rows[i].max, NOW) != rows[i].fits)
			fail_msg("row %zu: it fits otherwise", i);
		for (size_t k = 0; k < n; k++)
			if (images[k].goes != (rows[i].go[k] == 'x'))
				fail_msg("row %zu, image %zu", i, k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
