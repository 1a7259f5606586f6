/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/picker_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/piece_bits.h"

uint64_t picker_piece_first(const struct picker *p, uint32_t piece)
{
	return (uint64_t)piece * p->piece_size;
}

uint32_t picker_piece_length(const struct picker *p, uint32_t piece)
{
	uint64_t left = p->size - picker_piece_first(p, piece);

	return (uint32_t)MIN(left, p->piece_size);
}

uint32_t picker_piece_at(const struct picker *p, uint64_t offset)
{
	return (uint32_t)(offset / p->piece_size);
}

struct byte_range picker_piece_range(const struct picker *p, uint32_t piece)
{
	uint64_t first = picker_piece_first(p, piece);

	return (struct byte_range){.first = first, .end = first + picker_piece_length(p, piece)};
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
	held_runs_release(&p->filled);
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

const struct partial *picker_find_partial(const struct picker *p, uint32_t piece)
{
	for (unsigned i = 0; i < p->n_partials; i++)
		if (p->partials[i].piece == piece)
			return &p->partials[i];
	return NULL;
}

static void forget_partial(struct picker *p, uint32_t piece)
{
	for (unsigned i = 0; i < p->n_partials; i++) {
		if (p->partials[i].piece == piece) {
			p->partials[i] = p->partials[--p->n_partials];
			return;
		}
	}
}

/* What was filled of it; returns how many bytes. */
static uint64_t forget_filled(struct picker *p, uint32_t piece)
{
	const struct byte_range whole = picker_piece_range(p, piece);

	return held_runs_drop(&p->filled, &whole);
}

void picker_forget(struct picker *p, uint32_t piece)
{
	forget_partial(p, piece);
	(void)forget_filled(p, piece);
}

int picker_take(struct picker *p, const struct byte_range *range)
{
	uint32_t first = picker_piece_at(p, range->first);
	const struct partial *partial = picker_find_partial(p, first);
	int beginner = partial ? partial->source : SOURCE_NOBODY;

	if (range->first > picker_piece_first(p, first) + (partial ? partial->held : 0))
		beginner = SOURCE_SEVERAL; /* the node itself, too */
	assert(range->first < range->end && range->end <= p->size);
	for (uint32_t piece = first; piece <= picker_piece_at(p, range->end - 1); piece++) {
		assert(!picker_has(p, piece) && !piece_bits_has(p->busy, piece));
		piece_bits_set(p->busy, piece);
	}
	forget_partial(p, first);
	p->bytes_twice += held_runs_drop(&p->filled, range);
	return beginner;
}

struct byte_range picker_take_all(struct picker *p)
{
	p->n_partials = 0;
	held_runs_release(&p->filled);
	for (uint32_t piece = 0; piece < p->n_pieces; piece++)
		if (!picker_has(p, piece))
			piece_bits_set(p->busy, piece);
	return (struct byte_range){.first = 0, .end = p->size};
}

uint64_t picker_verified(struct picker *p, uint32_t piece)
{
	assert(piece < p->n_pieces && !picker_has(p, piece));
	piece_bits_set(p->verified, piece);
	count_verified(p, piece);
	for (unsigned i = 0; i < p->n_mismatches; i++) {
		if (p->mismatches[i].piece == piece) {
			p->mismatches[i] = p->mismatches[--p->n_mismatches];
			break;
		}
	}
	return forget_filled(p, piece);
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
	uint32_t first = picker_piece_at(p, range->first);
	uint32_t last = picker_piece_at(p, range->end - 1);
	uint32_t at;

	assert(held_end >= range->first && held_end <= range->end);
	for (uint32_t piece = first; piece <= last; piece++)
		piece_bits_clear(p->busy, piece);
	if (held_end == p->size)
		return;
	at = picker_piece_at(p, held_end);
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
	return bytes - MIN(bytes, p->filled.bytes);
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
