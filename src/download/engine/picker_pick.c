/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds the bytes to ask for next. */
#include "base/macros.h"
#include "base/piece_bits.h"
#include "download/engine/picker_private.h"

static const struct mismatch *find_mismatch(const struct picker *p, uint32_t piece)
{
	for (unsigned i = 0; i < p->n_mismatches; i++)
		if (p->mismatches[i].piece == piece)
			return &p->mismatches[i];
	return NULL;
}

static bool got_it_wrong(const struct picker *p, uint32_t piece, unsigned source)
{
	const struct mismatch *mismatch = find_mismatch(p, piece);

	return mismatch && (mismatch->sources >> source & 1);
}

static bool is_candidate(const struct picker *p, const struct pick *pick, uint32_t piece)
{
	if (picker_has(p, piece) || piece_bits_has(p->busy, piece) ||
	    (p->promised && piece_bits_has(p->promised, piece)))
		return false;
	if (pick->has && !piece_bits_has(pick->has, piece))
		return false;
	if (pick->left && piece_bits_has(pick->left, piece) &&
	    !got_it_wrong(p, piece, pick->left_to))
		return false;
	return pick->even_mismatched || !got_it_wrong(p, piece, pick->source);
}

static uint64_t first_missing_byte(const struct picker *p, uint32_t piece)
{
	const struct partial *partial = picker_find_partial(p, piece);

	return picker_skip_filled(p, picker_piece_first(p, piece) + (partial ? partial->held : 0));
}

static uint64_t end_of(const struct picker *p, uint32_t piece)
{
	return picker_piece_range(p, piece).end;
}

static bool may_follow(const struct picker *p, const struct pick *pick, uint32_t piece)
{
	return is_candidate(p, pick, piece) && !picker_find_partial(p, piece);
}

/* Where the hole ends that the missing byte `at` is in; a hole ends with its piece. */
static uint64_t end_of_hole(const struct picker *p, uint64_t at)
{
	const struct byte_range *run = held_runs_from(&p->filled, at);
	uint64_t end = end_of(p, picker_piece_at(p, at));

	return run ? MIN(run->first, end) : end;
}

/* The first missing byte behind a hole that ends at `end`, where one request may ask for both;
 * the image's size if there is none. */
static uint64_t next_hole(const struct picker *p, const struct pick *pick, uint64_t end)
{
	uint32_t piece = picker_piece_at(p, end - 1);
	uint64_t at = end == end_of(p, piece) ? end : picker_skip_filled(p, end);

	if (at < end_of(p, piece))
		return at;
	piece++;
	return piece < p->n_pieces && may_follow(p, pick, piece) ? picker_skip_filled(p, at)
								 : p->size;
}

/* A range that ends among bytes that were filled ends before them. */
static uint64_t cap_end(const struct picker *p, const struct pick *pick, struct byte_range range)
{
	const struct byte_range *run;

	if (pick->cap == 0 || range.end - range.first <= pick->cap)
		return range.end;
	run = held_runs_from(&p->filled, range.first + pick->cap);
	return run ? MIN(run->first, range.first + pick->cap) : range.first + pick->cap;
}

/* Goes on over the following holes: of the same piece, and of others while it is not longer than
 * wanted. What was filled between two is fetched once more where that costs less than a request. */
static struct byte_range run_from(const struct picker *p, const struct pick *pick, uint32_t first)
{
	struct byte_range range = {.first = first_missing_byte(p, first)};
	uint64_t twice = p->bytes_twice;

	range.end = end_of_hole(p, range.first);
	for (;;) {
		uint64_t at = next_hole(p, pick, range.end);
		uint64_t end;

		if (at >= p->size)
			break;
		end = end_of_hole(p, at);
		twice += at - range.end;
		if ((end > end_of(p, first) && end - range.first > pick->want) ||
		    at - range.end > pick->join || twice > p->size / PICKER_TWICE_PART)
			break;
		range.end = end;
	}
	range.end = cap_end(p, pick, range);
	return range;
}

static bool has_holes(const struct picker *p, uint32_t piece)
{
	return picker_find_partial(p, piece) || picker_is_filled(p, piece);
}

/* The run that ends with the piece `last`, and begins as many bytes before it as wanted. */
static struct byte_range run_until(const struct picker *p, const struct pick *pick, uint32_t last)
{
	uint32_t first = last;

	if (has_holes(p, last))
		return run_from(p, pick, last);
	while (first > 0 && is_candidate(p, pick, first - 1) && !has_holes(p, first - 1) &&
	       end_of(p, last) - picker_piece_first(p, first - 1) <= pick->want)
		first--;
	return run_from(p, pick, first);
}

static bool first_candidate(const struct picker *p, const struct pick *pick, uint32_t *ret)
{
	for (uint32_t piece = 0; piece < p->n_pieces; piece++) {
		/* Eight pieces at once: an image has up to 100,000. */
		if (piece % 8 == 0 && (p->verified[piece / 8] | p->busy[piece / 8]) == 0xff) {
			piece += 7;
			continue;
		}
		if (is_candidate(p, pick, piece)) {
			*ret = piece;
			return true;
		}
	}
	return false;
}

static bool last_candidate(const struct picker *p, const struct pick *pick, uint32_t *ret)
{
	for (uint32_t piece = p->n_pieces; piece-- > 0;) {
		if (piece % 8 == 7 && (p->verified[piece / 8] | p->busy[piece / 8]) == 0xff) {
			piece -= 7;
			continue;
		}
		if (is_candidate(p, pick, piece)) {
			*ret = piece;
			return true;
		}
	}
	return false;
}

bool picker_next(const struct picker *p, const struct pick *pick, struct byte_range *ret)
{
	uint32_t piece;

	for (unsigned i = 0; i < p->n_partials; i++) {
		if (is_candidate(p, pick, p->partials[i].piece)) {
			*ret = run_from(p, pick, p->partials[i].piece);
			return true;
		}
	}
	if (pick->order == PICK_DESCENDING) {
		if (!last_candidate(p, pick, &piece))
			return false;
		*ret = run_until(p, pick, piece);
		return true;
	}
	if (!first_candidate(p, pick, &piece))
		return false;
	*ret = run_from(p, pick, piece);
	return true;
}

bool picker_next_mismatched(const struct picker *p, const struct pick *pick, struct byte_range *ret)
{
	struct pick single = *pick;

	single.want = 0;
	for (unsigned i = 0; i < p->n_mismatches; i++) {
		if (is_candidate(p, &single, p->mismatches[i].piece)) {
			*ret = run_from(p, &single, p->mismatches[i].piece);
			return true;
		}
	}
	return false;
}

bool picker_is_had_by(const struct picker *p, const struct byte_range *range, const uint8_t *pieces,
		      unsigned source)
{
	for (uint32_t piece = picker_piece_at(p, range->first);
	     piece <= picker_piece_at(p, range->end - 1); piece++)
		if (!picker_has(p, piece) &&
		    (!piece_bits_has(pieces, piece) || got_it_wrong(p, piece, source)))
			return false;
	return true;
}
