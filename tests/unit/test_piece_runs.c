/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The map of an image's pieces: one line for what is the same, and never more than it may have. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/piece_bits.h"
#include "download/engine/piece_runs.h"

#define PIECE 1000u

/* An engine whose picker has these pieces: V verified, R reused, otherwise missing. */
static void make(struct engine *e, const char *pieces)
{
	const uint32_t n = (uint32_t)strlen(pieces);
	uint8_t *bits = calloc(piece_bits_size(n), 1);

	memset(e, 0, sizeof(*e));
	for (uint32_t i = 0; i < n; i++)
		if (pieces[i] == 'V' || pieces[i] == 'R')
			piece_bits_set(bits, i);
	assert_int_equal(picker_init(&e->picker, (uint64_t)n * PIECE - 1, PIECE, bits), 0);
	for (uint32_t i = 0; i < n; i++)
		if (pieces[i] == 'R')
			picker_note_reused(&e->picker, i);
	e->has_image = true;
	free(bits);
}

static void request(struct engine *e, unsigned slot, unsigned source, uint64_t first, uint64_t end)
{
	const struct byte_range range = {first, end};

	e->slots[slot] = (struct engine_slot){.used = true, .source = source, .range = range};
	(void)picker_take(&e->picker, &range);
}

static void expect(const struct piece_runs *runs, size_t i, enum piece_look look, uint32_t n,
		   int source)
{
	assert_true(i < runs->n);
	assert_int_equal(runs->runs[i].look, look);
	assert_int_equal(runs->runs[i].n, n);
	assert_int_equal(runs->runs[i].source, source);
}

static void test_looks(void **state)
{
	struct piece_runs runs;
	struct engine e;
	uint32_t first;
	const uint8_t promised = 0x02; /* the seventh of the second byte */

	(void)state;
	make(&e, "VVRR............");
	request(&e, 0, 1, 4 * PIECE, 6 * PIECE);
	request(&e, 1, 0, 6 * PIECE, 7 * PIECE);
	/* It brought the beginning of a piece, and ended. */
	request(&e, 2, 0, 8 * PIECE, 9 * PIECE);
	picker_give_back(&e.picker, &e.slots[2].range, 8 * PIECE + 10, 0, SOURCE_NOBODY);
	e.slots[2].used = false;
	assert_int_equal(picker_promise(&e.picker, (const uint8_t[]){0, promised}), 0);
	assert_int_equal(picker_take_promised(&e.picker, 1, &first), 1);
	/* Bytes in the middle of one were copied. */
	assert_int_equal(picker_hold(&e.picker, 10, &(struct byte_range){10300, 10400}, 1), 0);
	piece_runs_read(&e, &runs);
	assert_int_equal(runs.grain, 1);
	expect(&runs, 0, PIECE_VERIFIED, 2, SOURCE_NOBODY);
	expect(&runs, 1, PIECE_REUSED, 2, SOURCE_NOBODY);
	expect(&runs, 2, PIECE_COMING, 2, 1);
	expect(&runs, 3, PIECE_COMING, 1, 0);
	expect(&runs, 4, PIECE_MISSING, 1, SOURCE_NOBODY);
	expect(&runs, 5, PIECE_HELD, 1, SOURCE_NOBODY);
	expect(&runs, 6, PIECE_MISSING, 1, SOURCE_NOBODY);
	expect(&runs, 7, PIECE_HELD, 1, SOURCE_NOBODY);
	expect(&runs, 8, PIECE_MISSING, 3, SOURCE_NOBODY);
	expect(&runs, 9, PIECE_COMING, 1, SOURCE_NOBODY); /* it is being copied */
	expect(&runs, 10, PIECE_MISSING, 1, SOURCE_NOBODY);
	assert_int_equal(runs.n, 11);
	picker_release(&e.picker);
}

static void test_nothing_is_known(void **state)
{
	struct piece_runs runs;
	struct engine e = {0};

	(void)state;
	piece_runs_read(&e, &runs);
	assert_int_equal(runs.n, 0);
	assert_int_equal(runs.grain, 1);
}

/* Whatever the image looks like: bounded, without a gap, and each piece is counted once. */
static void test_bounded(void **state)
{
	static const struct {
		const char *pattern;
		size_t n;
		uint32_t grain;
	} rows[] = {
		{"V", 100000, 1},        {".", 100000, 1},
		{"V.", 1000, 1}, /* the last one is another run */
		{"V.", 1002, 2}, /* two too many: each pair is half there, and one run */
		{"VV..", 1996, 1},       {"VV..", 2000, 2},
		{"VV...", 4000, 4},      {"V.R..V", 100000, 2},
		{"V.R..VV", 100000, 64},
	};
	static struct piece_runs runs;
	static char pieces[100001];

	(void)state;
	for (size_t row = 0; row < N_ELEMENTS(rows); row++) {
		struct engine e;
		uint32_t at = 0;
		uint32_t verified = 0;

		for (size_t i = 0; i < rows[row].n; i++)
			pieces[i] = rows[row].pattern[i % strlen(rows[row].pattern)];
		pieces[rows[row].n - 1] = '.'; /* it is asked for */
		pieces[rows[row].n] = '\0';
		make(&e, pieces);
		request(&e, 3, 2, (rows[row].n - 1) * PIECE, rows[row].n * PIECE - 1);
		piece_runs_read(&e, &runs);
		assert_true(runs.n <= PIECE_RUNS_MAX);
		assert_int_equal(runs.grain, rows[row].grain);
		for (size_t i = 0; i < runs.n; i++) {
			assert_int_equal(runs.runs[i].first, at);
			at += runs.runs[i].n;
			verified += runs.runs[i].n_verified;
		}
		assert_int_equal(at, rows[row].n);
		assert_int_equal(verified, e.picker.n_verified);
		picker_release(&e.picker);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_nothing_is_known),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
