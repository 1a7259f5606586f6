/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pieces with holes: only these are asked for, and what is fetched twice is little. */
#include "support.h"

#include <errno.h>

#include "base/macros.h"
#include "download/engine/picker.h"
#include "download/engine/source.h"

#define PIECE 1000u
#define SIZE  7500u
#define RUNS  8u

static void make(struct picker *p)
{
	const uint8_t none[1] = {0};

	assert_int_equal(picker_init(p, SIZE, PIECE, none), 0);
}

/* Holds the runs, piece by piece; a run of no bytes is the last. */
static void hold(struct picker *p, const struct byte_range *runs)
{
	for (unsigned i = 0; i < RUNS && runs[i].end > 0;) {
		uint32_t piece = (uint32_t)(runs[i].first / PIECE);
		unsigned n = 1;

		while (i + n < RUNS && runs[i + n].end > 0 && runs[i + n].first / PIECE == piece)
			n++;
		assert_int_equal(picker_hold(p, piece, runs + i, n), 0);
		i += n;
	}
}

/* want and join in bytes; the range, and how much of its last piece is behind it. */
static const struct row {
	struct byte_range held[RUNS];
	enum pick_order order;
	uint64_t want;
	uint64_t join;
	uint64_t cap;
	struct byte_range expected;
	uint64_t behind;
} rows[] = {
	/* a hole, and nothing behind it */
	{{{0, 400}, {600, 1000}}, PICK_ASCENDING, 3000, 0, 0, {400, 600}, 400},
	/* at the beginning, and another one behind it */
	{{{100, 400}, {600, 1000}}, PICK_ASCENDING, 3000, 0, 0, {0, 100}, 0},
	/* on over whole pieces into the next hole */
	{{{0, 400}, {3300, 4000}}, PICK_ASCENDING, 3000, 0, 0, {400, 3300}, 700},
	/* not so far, if it is too far */
	{{{0, 400}, {3300, 4000}}, PICK_ASCENDING, 2899, 0, 0, {400, 3000}, 0},
	/* what is between two holes is fetched if it is little */
	{{{0, 400}, {500, 600}, {700, 1000}}, PICK_ASCENDING, 3000, 99, 0, {400, 500}, 0},
	{{{0, 400}, {500, 600}, {700, 1000}}, PICK_ASCENDING, 3000, 100, 0, {400, 700}, 300},
	{{{0, 400}, {500, 600}, {700, 1000}}, PICK_ASCENDING, 1, 100, 0, {400, 700}, 300},
	/* also at the border of two pieces */
	{{{900, 1000}, {1000, 1100}}, PICK_ASCENDING, 3000, 200, 0, {0, 3000}, 0},
	{{{900, 1000}, {1000, 1100}}, PICK_ASCENDING, 3000, 199, 0, {0, 900}, 100},
	/* a twentieth of the image at most: 375 bytes */
	{{{100, 400}, {500, 575}, {600, 676}, {700, 800}},
	 PICK_ASCENDING,
	 3000,
	 999,
	 0,
	 {0, 600},
	 0},
	/* a probe ends before what was filled */
	{{{500, 600}}, PICK_ASCENDING, 3000, 100, 450, {0, 450}, 0},
	{{{500, 600}}, PICK_ASCENDING, 3000, 100, 500, {0, 500}, 0},
	{{{500, 600}}, PICK_ASCENDING, 3000, 100, 550, {0, 500}, 0},
	{{{500, 600}}, PICK_ASCENDING, 3000, 100, 650, {0, 650}, 0},
	{{{500, 1000}}, PICK_ASCENDING, 3000, 0, 500, {0, 500}, 500},
	/* from the end */
	{{{7200, 7400}}, PICK_DESCENDING, 3000, 0, 0, {7000, 7200}, 0},
	{{{7000, 7400}}, PICK_DESCENDING, 3000, 0, 0, {7400, 7500}, 0},
	{{{5100, 5200}}, PICK_DESCENDING, 3000, 0, 0, {6000, 7500}, 0},
};

static void test_ranges(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		const struct pick pick = {.order = rows[i].order,
					  .want = rows[i].want,
					  .join = rows[i].join,
					  .cap = rows[i].cap};
		struct byte_range range;
		struct picker p;

		make(&p);
		hold(&p, rows[i].held);
		assert_true(picker_next(&p, &pick, &range));
		if (range.first != rows[i].expected.first || range.end != rows[i].expected.end ||
		    picker_filled_behind(&p, &range) != rows[i].behind)
			fail_msg("row %u: %lu-%lu, %lu behind", i, (unsigned long)range.first,
				 (unsigned long)range.end,
				 (unsigned long)picker_filled_behind(&p, &range));
		picker_release(&p);
	}
}

static const struct pick ascending = {.order = PICK_ASCENDING, .want = PIECE};

static void expect_next(const struct picker *p, uint64_t first, uint64_t end)
{
	struct byte_range range;

	assert_true(picker_next(p, &ascending, &range));
	assert_int_equal(range.first, first);
	assert_int_equal(range.end, end);
}

/* One hole after the other; who brings the piece's end has not brought it alone. */
static void test_holes_of_a_piece(void **state)
{
	static const struct byte_range runs[] = {{100, 400}, {600, 900}};
	static const struct byte_range holes[] = {{0, 100}, {400, 600}, {900, 1000}};
	struct picker p;

	(void)state;
	make(&p);
	assert_int_equal(picker_hold(&p, 0, runs, 2), 0);
	assert_int_equal(picker_unasked_bytes(&p), SIZE - 600);
	for (unsigned i = 0; i < N_ELEMENTS(holes); i++) {
		int beginner;

		expect_next(&p, holes[i].first, holes[i].end);
		beginner = picker_take(&p, &holes[i]);
		assert_int_equal(beginner, i == 0 ? SOURCE_NOBODY : SOURCE_SEVERAL);
		if (i < 2)
			picker_give_back(&p, &holes[i], holes[i].end, 3, beginner);
	}
	assert_true(picker_is_filled(&p, 0));
	assert_int_equal(picker_verified(&p, 0), 600);
	assert_false(picker_is_filled(&p, 0));
	assert_int_equal(p.bytes_twice, 0);
	picker_release(&p);
}

/* A request that is cut in a hole goes on there. */
static void test_cut_in_a_hole(void **state)
{
	static const struct byte_range runs[] = {{100, 400}, {600, 1000}};
	static const struct byte_range hole = {400, 600};
	static const struct byte_range beginning = {0, 100};
	struct picker p;
	int beginner;

	(void)state;
	make(&p);
	assert_int_equal(picker_hold(&p, 0, runs, 2), 0);
	beginner = picker_take(&p, &beginning);
	picker_give_back(&p, &beginning, 50, 1, beginner);
	expect_next(&p, 50, 100);
	beginner = picker_take(&p, &(struct byte_range){50, 100});
	assert_int_equal(beginner, 1);
	picker_give_back(&p, &(struct byte_range){50, 100}, 100, 1, beginner);
	beginner = picker_take(&p, &hole);
	picker_give_back(&p, &hole, 400, 1, beginner); /* nothing came */
	expect_next(&p, 400, 600);
	assert_int_equal(picker_take(&p, &hole), SOURCE_SEVERAL);
	picker_give_back(&p, &hole, 500, 1, SOURCE_SEVERAL);
	expect_next(&p, 500, 600);
	picker_forget(&p, 0);
	expect_next(&p, 0, 1000);
	picker_release(&p);
}

/* What is asked for once more is no longer held, and is counted. */
static void test_fetched_twice(void **state)
{
	static const struct byte_range runs[] = {{500, 600}, {700, 1000}};
	struct picker p;
	const struct byte_range joined = {0, 700};

	(void)state;
	make(&p);
	assert_int_equal(picker_hold(&p, 0, runs, 2), 0);
	(void)picker_take(&p, &joined);
	assert_int_equal(p.bytes_twice, 100);
	picker_give_back(&p, &joined, 450, 0, SOURCE_NOBODY);
	expect_next(&p, 450, 700);
	assert_int_equal(picker_take_all(&p).end, SIZE);
	assert_false(picker_is_filled(&p, 0));
	picker_release(&p);
}

/* Runs that are none change nothing. */
static void test_refused(void **state)
{
	static const struct {
		struct byte_range runs[2];
		size_t n;
	} bad[] = {
		{{{1000, 2000}}, 1},               /* all of it */
		{{{1000, 1500}, {1500, 2000}}, 2}, /* all of it */
		{{{900, 1100}}, 1},
		{{{1900, 2001}}, 1},
		{{{1100, 1100}}, 1},
		{{{1200, 1100}}, 1},
		{{{1100, 1300}, {1200, 1400}}, 2},
		{{{1300, 1400}, {1100, 1200}}, 2},
	};
	static const struct byte_range good = {1100, 1300};
	struct picker p;

	(void)state;
	make(&p);
	for (unsigned i = 0; i < N_ELEMENTS(bad); i++)
		if (picker_hold(&p, 1, bad[i].runs, bad[i].n) != -EINVAL)
			fail_msg("row %u", i);
	assert_false(picker_is_filled(&p, 1));
	assert_int_equal(picker_hold(&p, 1, &good, 1), 0);
	assert_int_equal(picker_hold(&p, 1, &good, 1), -EINVAL);
	(void)picker_verified(&p, 2);
	assert_int_equal(picker_hold(&p, 2, &(struct byte_range){2000, 2100}, 1), -EINVAL);
	picker_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),        cmocka_unit_test(test_holes_of_a_piece),
		cmocka_unit_test(test_cut_in_a_hole), cmocka_unit_test(test_fetched_twice),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
