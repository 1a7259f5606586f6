/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/picker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/piece_bits.h"

static void clear_bit(uint8_t *bits, uint32_t piece)
{
	bits[piece / 8] = (uint8_t)(bits[piece / 8] & ~(1u << (7 - piece % 8)));
}

uint64_t picker_piece_first(const struct picker *p, uint32_t piece)
{
	return (uint64_t)piece * p->piece_size;
}

uint32_t picker_piece_length(const struct picker *p, uint32_t piece)
{
	uint64_t left = p->size - picker_piece_first(p, piece);

	return (uint32_t)MIN(left, p->piece_size);
}

static uint32_t piece_at(const struct picker *p, uint64_t offset)
{
	return (uint32_t)(offset / p->piece_size);
}

static void count_verified(struct picker *p, uint32_t piece)
{
	p->n_verified++;
	p->bytes_verified += picker_piece_length(p, piece);
}

int picker_init(struct picker *p, uint64_t size, uint32_t piece_size, const uint8_t *verified)
{
	size_t n_bytes;

	memset(p, 0, sizeof(*p));
	p->size = size;
	p->piece_size = piece_size;
	p->n_pieces = (uint32_t)((size + piece_size - 1) / piece_size);
	n_bytes = piece_bits_size(p->n_pieces);
	p->verified = malloc(n_bytes);
	p->busy = calloc(n_bytes, 1);
	p->reused = calloc(n_bytes, 1);
	if (!p->verified || !p->busy || !p->reused) {
		picker_release(p);
		return -ENOMEM;
	}
	memcpy(p->verified, verified, n_bytes);
	for (uint32_t piece = 0; piece < p->n_pieces; piece++)
		if (picker_has(p, piece))
			count_verified(p, piece);
	return 0;
}

void picker_release(struct picker *p)
{
	free(p->verified);
	free(p->busy);
	free(p->reused);
	free(p->promised);
	memset(p, 0, sizeof(*p));
}

bool picker_has(const struct picker *p, uint32_t piece)
{
	return piece_bits_has(p->verified, piece);
}

bool picker_is_complete(const struct picker *p)
{
	return p->n_pieces > 0 && p->n_verified == p->n_pieces;
}

static const struct partial *find_partial(const struct picker *p, uint32_t piece)
{
	for (unsigned i = 0; i < p->n_partials; i++)
		if (p->partials[i].piece == piece)
			return &p->partials[i];
	return NULL;
}

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
	const struct partial *partial = find_partial(p, piece);

	return picker_piece_first(p, piece) + (partial ? partial->held : 0);
}

static uint64_t end_of(const struct picker *p, uint32_t piece)
{
	return picker_piece_first(p, piece) + picker_piece_length(p, piece);
}

static bool may_follow(const struct picker *p, const struct pick *pick, uint32_t piece)
{
	return is_candidate(p, pick, piece) && !find_partial(p, piece);
}

static struct byte_range run_from(const struct picker *p, const struct pick *pick, uint32_t first)
{
	uint32_t last = first;
	struct byte_range range = {.first = first_missing_byte(p, first)};

	while (last + 1 < p->n_pieces && may_follow(p, pick, last + 1) &&
	       end_of(p, last + 1) - range.first <= pick->want)
		last++;
	range.end = end_of(p, last);
	if (pick->cap > 0 && range.end - range.first > pick->cap)
		range.end = range.first + pick->cap;
	return range;
}

/* The run that ends with the piece `last`, and begins as many bytes before it as wanted. */
static struct byte_range run_until(const struct picker *p, const struct pick *pick, uint32_t last)
{
	uint32_t first = last;

	if (find_partial(p, last))
		return run_from(p, pick, last);
	while (first > 0 && may_follow(p, pick, first - 1) &&
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

void picker_forget(struct picker *p, uint32_t piece)
{
	for (unsigned i = 0; i < p->n_partials; i++) {
		if (p->partials[i].piece == piece) {
			p->partials[i] = p->partials[--p->n_partials];
			return;
		}
	}
}

int picker_take(struct picker *p, const struct byte_range *range)
{
	uint32_t first = piece_at(p, range->first);
	const struct partial *partial = find_partial(p, first);
	int beginner = partial ? partial->source : SOURCE_NOBODY;

	assert(range->first < range->end && range->end <= p->size);
	for (uint32_t piece = first; piece <= piece_at(p, range->end - 1); piece++) {
		assert(!picker_has(p, piece) && !piece_bits_has(p->busy, piece));
		piece_bits_set(p->busy, piece);
	}
	picker_forget(p, first);
	return beginner;
}

struct byte_range picker_take_all(struct picker *p)
{
	p->n_partials = 0;
	for (uint32_t piece = 0; piece < p->n_pieces; piece++)
		if (!picker_has(p, piece))
			piece_bits_set(p->busy, piece);
	return (struct byte_range){.first = 0, .end = p->size};
}

void picker_verified(struct picker *p, uint32_t piece)
{
	assert(piece < p->n_pieces && !picker_has(p, piece));
	piece_bits_set(p->verified, piece);
	count_verified(p, piece);
	for (unsigned i = 0; i < p->n_mismatches; i++) {
		if (p->mismatches[i].piece == piece) {
			p->mismatches[i] = p->mismatches[--p->n_mismatches];
			return;
		}
	}
}

static void remember_partial(struct picker *p, uint32_t piece, uint64_t held, int source)
{
	if (held == 0 || picker_has(p, piece) || p->n_partials == PARTIALS_MAX)
		return;
	p->partials[p->n_partials++] = (struct partial){
		.piece = piece,
		.held = (uint32_t)held,
		.source = source,
	};
}

void picker_give_back(struct picker *p, const struct byte_range *range, uint64_t held_end,
		      int source, int beginner)
{
	uint32_t first = piece_at(p, range->first);
	uint32_t last = piece_at(p, range->end - 1);
	uint32_t at;

	assert(held_end >= range->first && held_end <= range->end);
	for (uint32_t piece = first; piece <= last; piece++)
		clear_bit(p->busy, piece);
	if (held_end == p->size)
		return;
	at = piece_at(p, held_end);
	if (at == first && beginner != SOURCE_NOBODY && beginner != source)
		source = held_end == range->first ? beginner : SOURCE_SEVERAL;
	remember_partial(p, at, held_end - picker_piece_first(p, at), source);
}

void picker_mismatch(struct picker *p, uint32_t piece, unsigned source)
{
	for (unsigned i = 0; i < p->n_mismatches; i++) {
		if (p->mismatches[i].piece == piece) {
			p->mismatches[i].sources |= UINT64_C(1) << source;
			return;
		}
	}
	if (p->n_mismatches < MISMATCHES_MAX)
		p->mismatches[p->n_mismatches++] = (struct mismatch){
			.piece = piece,
			.sources = UINT64_C(1) << source,
		};
}

bool picker_is_had_by(const struct picker *p, const struct byte_range *range, const uint8_t *pieces,
		      unsigned source)
{
	for (uint32_t piece = piece_at(p, range->first); piece <= piece_at(p, range->end - 1);
	     piece++)
		if (!picker_has(p, piece) &&
		    (!piece_bits_has(pieces, piece) || got_it_wrong(p, piece, source)))
			return false;
	return true;
}

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
	clear_bit(p->busy, piece);
	if (p->promised)
		clear_bit(p->promised, piece);
}

void picker_note_reused(struct picker *p, uint32_t piece)
{
	piece_bits_set(p->reused, piece);
}

static unsigned promised_at(const struct picker *p, size_t byte)
{
	return p->promised ? p->promised[byte] : 0;
}

uint64_t picker_unasked_bytes(const struct picker *p)
{
	uint32_t last = p->n_pieces - 1;
	uint64_t n = p->n_pieces;
	uint64_t bytes;

	for (size_t i = 0; i < piece_bits_size(p->n_pieces); i++)
		n -= (uint64_t)__builtin_popcount(p->verified[i] | p->busy[i] | promised_at(p, i));
	bytes = n * p->piece_size;
	if (!piece_bits_has(p->verified, last) && !piece_bits_has(p->busy, last) &&
	    !(p->promised && piece_bits_has(p->promised, last)))
		bytes -= p->piece_size - picker_piece_length(p, last);
	return bytes;
}

uint32_t picker_missing_besides(const struct picker *p, const uint8_t *pieces)
{
	uint32_t n = 0;

	for (size_t i = 0; i < piece_bits_size(p->n_pieces); i++)
		n += (uint32_t)__builtin_popcount(p->verified[i] | pieces[i]);
	return p->n_pieces - n;
}

void picker_disown_source(struct picker *p, unsigned source)
{
	for (unsigned i = 0; i < p->n_partials; i++)
		if (p->partials[i].source == (int)source)
			p->partials[i].source = SOURCE_SEVERAL;
}

void picker_disown(struct picker *p)
{
	for (unsigned i = 0; i < p->n_partials; i++)
		p->partials[i].source = SOURCE_SEVERAL;
	p->n_mismatches = 0;
}
