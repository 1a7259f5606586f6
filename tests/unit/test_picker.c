/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which bytes next: never one that is held, never one twice, whole pieces where it can be. */
#include "support.h"

#include "base/macros.h"
#include "download/engine/picker.h"
#include "download/engine/source.h"
#include "download/image/piece_map.h"

#define PIECE 1000u

static void make(struct picker *p, uint64_t size, const char *verified)
{
	uint8_t bits[16] = {0};

	for (uint32_t i = 0; verified[i]; i++)
		if (verified[i] == '#')
			piece_bits_set(bits, i);
	assert_int_equal(picker_init(p, size, PIECE, bits), 0);
}

static const struct pick ascending = {.order = PICK_ASCENDING, .want = 3 * PIECE};
static const struct pick descending = {.order = PICK_DESCENDING, .want = 3 * PIECE};

static void expect_next(const struct picker *p, const struct pick *pick, uint64_t first,
			uint64_t end)
{
	struct byte_range range;

	assert_true(picker_next(p, pick, &range));
	assert_int_equal(range.first, first);
	assert_int_equal(range.end, end);
}

static void test_runs(void **state)
{
	static const struct {
		const char *verified; /* '#' = held */
		enum pick_order order;
		uint64_t want;
		uint64_t cap;
		uint64_t first;
		uint64_t end;
	} rows[] = {
		{"........", PICK_ASCENDING, 3000, 0, 0, 3000},
		{"........", PICK_ASCENDING, 3999, 0, 0, 3000},    /* rounded down */
		{"........", PICK_ASCENDING, 1, 0, 0, 1000},       /* at least one */
		{"........", PICK_ASCENDING, 1 << 20, 0, 0, 7500}, /* the last one is shorter */
		{"........", PICK_ASCENDING, 3000, 400, 0, 400},   /* a probe */
		{"##.#....", PICK_ASCENDING, 3000, 0, 2000, 3000}, /* up to what is held */
		{"##..#...", PICK_ASCENDING, 3000, 0, 2000, 4000},
		{"#######.", PICK_ASCENDING, 3000, 0, 7000, 7500},
		{"........", PICK_DESCENDING, 3000, 0, 5000, 7500}, /* 2500 fit */
		{"........", PICK_DESCENDING, 2499, 0, 6000, 7500},
		{"......##", PICK_DESCENDING, 3000, 0, 3000, 6000},
		{"....#.##", PICK_DESCENDING, 3000, 0, 5000, 6000},
		{".#######", PICK_DESCENDING, 3000, 0, 0, 1000},
		{"........", PICK_DESCENDING, 1 << 20, 0, 0, 7500},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct pick pick = {
			.order = rows[i].order, .want = rows[i].want, .cap = rows[i].cap};
		struct byte_range range;
		struct picker p;

		make(&p, 7500, rows[i].verified);
		assert_true(picker_next(&p, &pick, &range));
		if (range.first != rows[i].first || range.end != rows[i].end)
			fail_msg("row %u: %lu-%lu", i, (unsigned long)range.first,
				 (unsigned long)range.end);
		picker_release(&p);
	}
}

static void test_busy_pieces_are_left_alone(void **state)
{
	struct byte_range range = {.first = 1000, .end = 3000};
	struct picker p;

	(void)state;
	make(&p, 8000, "........");
	assert_int_equal(picker_take(&p, &range), SOURCE_NOBODY);
	expect_next(&p, &ascending, 0, 1000);
	range = (struct byte_range){.first = 0, .end = 1000};
	picker_take(&p, &range);
	expect_next(&p, &ascending, 3000, 6000);
	picker_release(&p);
}

static void test_partial_goes_first_and_on_where_it_ended(void **state)
{
	struct byte_range range = {.first = 4000, .end = 6000};
	struct picker p;

	(void)state;
	make(&p, 8000, "........");
	picker_take(&p, &range);
	picker_give_back(&p, &range, 4321, 2, SOURCE_NOBODY);
	expect_next(&p, &ascending, 4321, 7000);
	expect_next(&p, &descending, 4321, 7000);
	range = (struct byte_range){.first = 4321, .end = 5000};
	assert_int_equal(picker_take(&p, &range), 2);
	picker_give_back(&p, &range, 4321, 3, 2); /* brought nothing: still of source 2 */
	assert_int_equal(picker_take(&p, &range), 2);
	picker_give_back(&p, &range, 4400, 3, 2); /* now of both */
	range.first = 4400;
	assert_int_equal(picker_take(&p, &range), SOURCE_SEVERAL);
	picker_verified(&p, 4);
	picker_give_back(&p, &range, 5000, 3, SOURCE_SEVERAL);
	assert_int_equal(p.n_partials, 0);
	expect_next(&p, &ascending, 0, 3000);
	picker_release(&p);
}

static void test_forgotten_partial_is_fetched_whole(void **state)
{
	struct byte_range range = {.first = 0, .end = 1000};
	struct picker p;

	(void)state;
	make(&p, 2000, "..");
	picker_take(&p, &range);
	picker_give_back(&p, &range, 999, 0, SOURCE_NOBODY);
	picker_forget(&p, 0);
	expect_next(&p, &ascending, 0, 2000);
	picker_release(&p);
}

static void test_partials_are_bounded(void **state)
{
	struct picker p;
	uint8_t none[16] = {0};

	(void)state;
	assert_int_equal(picker_init(&p, 100 * PIECE, PIECE, none), 0);
	for (uint64_t i = 0; i < 100; i++) {
		struct byte_range range = {.first = i * PIECE, .end = (i + 1) * PIECE};

		picker_take(&p, &range);
		picker_give_back(&p, &range, range.first + 1, 0, SOURCE_NOBODY);
	}
	assert_int_equal(p.n_partials, PARTIALS_MAX);
	picker_release(&p);
}

static void test_only_what_a_source_has(void **state)
{
	static const uint8_t has[] = {0x24};  /* pieces 2 and 5 */
	static const uint8_t left[] = {0x20}; /* 2 is left to another */
	struct pick pick = ascending;
	struct byte_range range;
	struct picker p;

	(void)state;
	make(&p, 8000, "........");
	pick.has = has;
	expect_next(&p, &pick, 2000, 3000);
	pick.left = left;
	pick.left_to = 3;
	expect_next(&p, &pick, 5000, 6000);
	picker_verified(&p, 5);
	assert_false(picker_next(&p, &pick, &range));
	/* The other one got it wrong. */
	picker_mismatch(&p, 2, 3);
	expect_next(&p, &pick, 2000, 3000);
	picker_release(&p);
}

static void test_mismatched_is_asked_elsewhere(void **state)
{
	struct pick pick = {.source = 1, .order = PICK_ASCENDING, .want = 9000};
	struct byte_range range;
	struct picker p;

	(void)state;
	make(&p, 8000, "........");
	assert_false(picker_next_mismatched(&p, &pick, &range));
	picker_mismatch(&p, 2, 1);
	expect_next(&p, &pick, 0, 2000);
	pick.source = 0;
	expect_next(&p, &pick, 0, 8000);
	assert_true(picker_next_mismatched(&p, &pick, &range));
	assert_int_equal(range.first, 2000);
	assert_int_equal(range.end, 3000); /* just the one */
	pick.source = SOURCES_MAX - 1;     /* as many as there can be mirrors */
	picker_mismatch(&p, 2, SOURCES_MAX - 1);
	assert_false(picker_next_mismatched(&p, &pick, &range));
	pick.source = 31;
	assert_true(picker_next_mismatched(&p, &pick, &range));
	pick.source = 0;
	picker_mismatch(&p, 2, 0);
	assert_false(picker_next_mismatched(&p, &pick, &range));
	pick.even_mismatched = true;
	assert_true(picker_next_mismatched(&p, &pick, &range));
	picker_verified(&p, 2);
	assert_false(picker_next_mismatched(&p, &pick, &range));
	picker_release(&p);
}

static void test_new_sources_disown(void **state)
{
	struct byte_range range = {.first = 0, .end = 1000};
	struct picker p;

	(void)state;
	make(&p, 8000, "........");
	picker_take(&p, &range);
	picker_give_back(&p, &range, 10, 0, SOURCE_NOBODY);
	picker_mismatch(&p, 2, 0);
	picker_disown(&p);
	assert_int_equal(p.n_mismatches, 0);
	range.first = 10;
	assert_int_equal(picker_take(&p, &range), SOURCE_SEVERAL);
	picker_release(&p);
}

static void test_whole_file(void **state)
{
	struct byte_range range = {.first = 0, .end = 1000};
	struct picker p;

	(void)state;
	make(&p, 8000, ".#......");
	picker_take(&p, &range);
	picker_give_back(&p, &range, 10, 0, SOURCE_NOBODY);
	range = picker_take_all(&p);
	assert_int_equal(range.first, 0);
	assert_int_equal(range.end, 8000);
	assert_false(picker_next(&p, &ascending, &range));
	picker_give_back(&p, &range, 2500, 0, SOURCE_NOBODY);
	expect_next(&p, &ascending, 2500, 5000);
	picker_release(&p);
}

static void test_counts(void **state)
{
	struct picker p;

	(void)state;
	make(&p, 2500, ".#.");
	assert_int_equal(picker_unasked_bytes(&p), 1500);
	(void)picker_take(&p, &(struct byte_range){.first = 2000, .end = 2500});
	assert_int_equal(picker_unasked_bytes(&p), 1000);
	/* It is in its request still. */
	picker_verified(&p, 2);
	assert_int_equal(picker_unasked_bytes(&p), 1000);
	picker_give_back(&p, &(struct byte_range){.first = 2000, .end = 2500}, 2500, 0,
			 SOURCE_NOBODY);
	assert_int_equal(picker_unasked_bytes(&p), 1000);
	assert_false(picker_is_complete(&p));
	picker_verified(&p, 0);
	assert_true(picker_is_complete(&p));
	picker_release(&p);
}

/* Any order of asking and ending fetches each byte once, if nothing goes wrong but cuts. */
static void test_each_byte_once(void **state)
{
	uint64_t random = 88172645463325252u;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		uint64_t size = 1 + test_random(&random) % 60000;
		uint8_t none[16] = {0};
		uint8_t *fetched = calloc(size, 1);
		struct picker p;

		assert_non_null(fetched);
		assert_int_equal(picker_init(&p, size, PIECE, none), 0);
		while (!picker_is_complete(&p)) {
			struct pick pick = {
				.order =
					test_random(&random) % 2 ? PICK_ASCENDING : PICK_DESCENDING,
				.want = test_random(&random) % 9000,
				.cap = test_random(&random) % 4 ? 0
								: 1 + test_random(&random) % 700,
			};
			struct byte_range range;
			uint64_t end;
			int beginner;

			assert_true(picker_next(&p, &pick, &range));
			beginner = picker_take(&p, &range);
			end = range.first + test_random(&random) % (range.end - range.first + 1);
			for (uint64_t at = range.first; at < end; at++)
				assert_int_equal(fetched[at]++, 0);
			for (uint32_t piece = (uint32_t)(range.first / PIECE);
			     picker_piece_first(&p, piece) + picker_piece_length(&p, piece) <=
				     end &&
			     piece < p.n_pieces;
			     piece++)
				picker_verified(&p, piece);
			picker_give_back(&p, &range, end, 0, beginner);
		}
		picker_release(&p);
		free(fetched);
	}
}

static void promise(struct picker *p, const char *pieces)
{
	uint8_t bits[16] = {0};

	for (uint32_t i = 0; pieces[i]; i++)
		if (pieces[i] == '+')
			piece_bits_set(bits, i);
	assert_int_equal(picker_promise(p, bits), 0);
}

/* What is filled is not asked for; what cannot be filled is. */
static void test_promised_is_not_asked_for(void **state)
{
	struct byte_range range;
	struct picker p;
	uint32_t first;

	(void)state;
	make(&p, 7500, "#.......");
	promise(&p, "+++.+++.");
	expect_next(&p, &ascending, 3000, 4000);
	expect_next(&p, &descending, 7000, 7500);
	assert_int_equal(picker_unasked_bytes(&p), 1500);
	assert_int_equal(picker_take_promised(&p, 8, &first), 2); /* the first is held */
	assert_int_equal(first, 1);
	picker_take_back(&p, 1);
	picker_verified(&p, 1);
	picker_take_back(&p, 2);
	expect_next(&p, &ascending, 2000, 4000);
	assert_int_equal(picker_take_promised(&p, 1, &first), 1);
	assert_int_equal(first, 4);
	picker_take_back(&p, 4);
	picker_verified(&p, 4);
	range = (struct byte_range){.first = 2000, .end = 4000};
	assert_int_equal(picker_take(&p, &range), SOURCE_NOBODY);
	picker_promise_nothing(&p);
	expect_next(&p, &ascending, 5000, 7500);
	assert_int_equal(picker_take_promised(&p, 8, &first), 0);
	picker_release(&p);
}

/* Of what is both promised and asked for already, the request is left alone. */
static void test_asked_for_before_it_was_promised(void **state)
{
	const struct byte_range range = {.first = 0, .end = 2000};
	struct picker p;
	uint32_t first;

	(void)state;
	make(&p, 3000, "...");
	(void)picker_take(&p, &range);
	promise(&p, "+++");
	assert_int_equal(picker_take_promised(&p, 8, &first), 1);
	assert_int_equal(first, 2);
	picker_give_back(&p, &range, 500, 0, SOURCE_NOBODY);
	assert_false(picker_next(&p, &ascending, &(struct byte_range){0}));
	assert_int_equal(picker_take_promised(&p, 8, &first), 2);
	picker_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_busy_pieces_are_left_alone),
		cmocka_unit_test(test_partial_goes_first_and_on_where_it_ended),
		cmocka_unit_test(test_forgotten_partial_is_fetched_whole),
		cmocka_unit_test(test_partials_are_bounded),
		cmocka_unit_test(test_only_what_a_source_has),
		cmocka_unit_test(test_mismatched_is_asked_elsewhere),
		cmocka_unit_test(test_new_sources_disown),
		cmocka_unit_test(test_whole_file),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_promised_is_not_asked_for),
		cmocka_unit_test(test_asked_for_before_it_was_promised),
		cmocka_unit_test(test_each_byte_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
