/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What need not be fetched: pieces that are promised to be filled, and bytes that were. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/piece_bits.h"
#include "download/engine/picker_private.h"

int picker_promise(struct picker *p, const uint8_t *pieces)
{
	uint8_t *promised = malloc(piece_bits_size(p->n_pieces));

	if (!promised)
		return -ENOMEM;
	memcpy(promised, pieces, piece_bits_size(p->n_pieces));
	picker_promise_nothing(p);
	p->promised = promised;
	return 0;
}

void picker_promise_nothing(struct picker *p)
{
	free(p->promised);
	p->promised = NULL;
}

static bool may_be_filled(const struct picker *p, uint32_t piece)
{
	return piece_bits_has(p->promised, piece) && !picker_has(p, piece) &&
	       !piece_bits_has(p->busy, piece);
}

uint32_t picker_take_promised(struct picker *p, uint32_t max, uint32_t *ret_first)
{
	uint32_t first = 0;
	uint32_t n = 0;

	while (p->promised && first < p->n_pieces && !may_be_filled(p, first))
		first++;
	while (p->promised && first + n < p->n_pieces && n < max && may_be_filled(p, first + n))
		piece_bits_set(p->busy, first + n++);
	if (n == 0)
		picker_promise_nothing(p);
	*ret_first = first;
	return n;
}

void picker_take_back(struct picker *p, uint32_t piece)
{
	piece_bits_clear(p->busy, piece);
	if (p->promised)
		piece_bits_clear(p->promised, piece);
}

void picker_note_reused(struct picker *p, uint32_t piece)
{
	piece_bits_set(p->reused, piece);
}

/* Are they in order within the piece, and not all of it? */
static bool are_fit(const struct picker *p, uint32_t piece, const struct byte_range *runs, size_t n)
{
	const struct byte_range whole = picker_piece_range(p, piece);
	uint64_t at = whole.first;
	uint64_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		if (runs[i].first < at || runs[i].first >= runs[i].end || runs[i].end > whole.end)
			return false;
		bytes += runs[i].end - runs[i].first;
		at = runs[i].end;
	}
	return bytes < whole.end - whole.first;
}

int picker_hold(struct picker *p, uint32_t piece, const struct byte_range *runs, size_t n)
{
	if (picker_has(p, piece) || picker_is_filled(p, piece) || !are_fit(p, piece, runs, n))
		return -EINVAL;
	return held_runs_add(&p->filled, runs, n);
}

bool picker_is_filled(const struct picker *p, uint32_t piece)
{
	const struct byte_range *run = held_runs_from(&p->filled, picker_piece_first(p, piece));

	return run && run->first < picker_piece_range(p, piece).end;
}

uint64_t picker_skip_filled(const struct picker *p, uint64_t at)
{
	const struct byte_range *run = held_runs_from(&p->filled, at);
	const struct byte_range *end = held_runs_end(&p->filled);
	uint64_t end_of_piece;

	if (!run)
		return at;
	end_of_piece = picker_piece_range(p, picker_piece_at(p, at)).end;
	while (run != end && run->first <= at && at < end_of_piece)
		at = (run++)->end;
	return at;
}

uint64_t picker_filled_behind(const struct picker *p, const struct byte_range *range)
{
	uint64_t end = picker_piece_range(p, picker_piece_at(p, range->end - 1)).end;

	return range->end < end && picker_skip_filled(p, range->end) == end ? end - range->end : 0;
}
