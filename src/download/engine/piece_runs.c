/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/piece_runs.h"

#include "base/macros.h"
#include "base/piece_bits.h"

static const char *const names[] = {
	[PIECE_COMING] = "in-flight",  [PIECE_HELD] = "held",     [PIECE_MISSING] = "missing",
	[PIECE_VERIFIED] = "verified", [PIECE_REUSED] = "reused",
};

const char *piece_look_name(enum piece_look look)
{
	return names[look];
}

/* Goes over the pieces once, from the first to the last. */
struct walk {
	const struct engine *e;
	uint32_t
		next_held; /* the first of these that is not before the piece: few are looked for */
};

/* The first piece from this one on of which bytes are held. */
static uint32_t held_from(const struct picker *p, uint32_t piece)
{
	const struct byte_range *run = held_runs_from(&p->filled, picker_piece_first(p, piece));
	uint32_t next = run ? (uint32_t)(run->first / p->piece_size) : p->n_pieces;

	for (unsigned i = 0; i < p->n_partials; i++)
		if (p->partials[i].piece >= piece)
			next = MIN(next, p->partials[i].piece);
	return next;
}

static int who_brings(const struct engine *e, uint32_t piece)
{
	const uint64_t first = picker_piece_first(&e->picker, piece);
	const uint64_t end = first + picker_piece_length(&e->picker, piece);

	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		const struct engine_slot *slot = &e->slots[i];

		if (slot->used && slot->range.first < end && slot->range.end > first)
			return (int)slot->source;
	}
	return SOURCE_NOBODY;
}

static struct piece_run look_at(struct walk *walk, uint32_t piece)
{
	const struct picker *p = &walk->e->picker;
	struct piece_run run = {.first = piece, .n = 1, .source = SOURCE_NOBODY};

	if (walk->next_held < piece)
		walk->next_held = held_from(p, piece);
	if (picker_has(p, piece)) {
		run.n_verified = 1;
		run.look = piece_bits_has(p->reused, piece) ? PIECE_REUSED : PIECE_VERIFIED;
	} else if (piece_bits_has(p->busy, piece)) {
		run.look = PIECE_COMING;
		run.source = who_brings(walk->e, piece);
	} else {
		run.look = walk->next_held == piece ? PIECE_HELD : PIECE_MISSING;
	}
	return run;
}

static struct piece_run look_at_group(struct walk *walk, uint32_t first, uint32_t n)
{
	struct piece_run group = look_at(walk, first);

	for (uint32_t i = 1; i < n; i++) {
		struct piece_run one = look_at(walk, first + i);

		group.n++;
		group.n_verified += one.n_verified;
		if (one.look < group.look) {
			group.look = one.look;
			group.source = one.source;
		}
	}
	return group;
}

/* Of runs that are partly verified the share is the same. */
static bool says_the_same(const struct piece_run *a, const struct piece_run *b)
{
	return a->look == b->look && a->source == b->source &&
	       (uint64_t)a->n_verified * b->n == (uint64_t)b->n_verified * a->n;
}

/* false = there are too many. */
static bool read_groups(const struct engine *e, struct piece_runs *ret)
{
	const uint32_t n_pieces = e->picker.n_pieces;
	struct walk walk = {.e = e, .next_held = held_from(&e->picker, 0)};

	ret->n = 0;
	for (uint32_t at = 0; at < n_pieces; at += MIN(ret->grain, n_pieces - at)) {
		struct piece_run group = look_at_group(&walk, at, MIN(ret->grain, n_pieces - at));
		struct piece_run *last = ret->n > 0 ? &ret->runs[ret->n - 1] : NULL;

		if (last && says_the_same(last, &group)) {
			last->n += group.n;
			last->n_verified += group.n_verified;
		} else if (ret->n < PIECE_RUNS_MAX) {
			ret->runs[ret->n++] = group;
		} else {
			return false;
		}
	}
	return true;
}

void piece_runs_read(const struct engine *e, struct piece_runs *ret)
{
	ret->grain = 1;
	ret->n = 0;
	while (e->has_image && !read_groups(e, ret))
		ret->grain *= 2;
}
