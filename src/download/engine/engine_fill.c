/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pieces that the node need not fetch, because it has their bytes in other images. */
#include <assert.h>

#include "base/macros.h"
#include "download/engine/engine_private.h"

bool engine_fills(const struct engine *e)
{
	return e->n_filling > 0 || e->picker.promised;
}

void engine_fill_expect(struct engine *e, bool expected)
{
	e->fill_expected = expected;
}

bool engine_waits_for_fill(const struct engine *e)
{
	return e->fill_expected && e->last_ms < e->fill_until_ms;
}

static bool is_whole_asked(const struct engine *e)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (e->slots[i].used && e->slots[i].whole)
			return true;
	return false;
}

int engine_fill_begin(struct engine *e, const uint8_t *pieces)
{
	return picker_promise(&e->picker, pieces);
}

uint32_t engine_fill_take(struct engine *e, uint32_t max, uint32_t *ret_first)
{
	assert(e->n_filling == 0);
	if (is_whole_asked(e)) /* it brings all that is missing */
		engine_fill_end(e);
	e->n_filling = picker_take_promised(&e->picker, MIN(max, FILL_PIECES_MAX), ret_first);
	return e->n_filling;
}

void engine_fill_end(struct engine *e)
{
	picker_promise_nothing(&e->picker);
}

/* Takes the runs from number `at` on that are in this piece; returns the number behind them. What
 * there is no memory for is fetched. */
static size_t hold_runs(struct engine *e, const struct engine_event *event, uint32_t piece,
			size_t at)
{
	const uint64_t end =
		picker_piece_first(&e->picker, piece) + picker_piece_length(&e->picker, piece);
	size_t behind = at;

	while (behind < event->filled.n_held && event->filled.held[behind].first < end)
		behind++;
	if (behind > at)
		(void)picker_hold(&e->picker, piece, event->filled.held + at, behind - at);
	return behind;
}

void engine_filled(struct engine *e, const struct engine_event *event, struct engine_actions *out)
{
	size_t at = 0;

	(void)out;
	assert(event->filled.n == e->n_filling);
	e->n_filling = 0;
	for (uint32_t i = 0; i < event->filled.n; i++) {
		uint32_t piece = event->filled.first + i;

		picker_take_back(&e->picker, piece);
		picker_forget(&e->picker, piece); /* its beginning was overwritten */
		if (!(event->filled.right >> i & 1)) {
			at = hold_runs(e, event, piece, at);
			continue;
		}
		(void)picker_verified(&e->picker, piece);
		picker_note_reused(&e->picker, piece);
		e->bytes_reused += picker_piece_length(&e->picker, piece);
	}
}
