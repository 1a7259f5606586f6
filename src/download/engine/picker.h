/* SPDX-License-Identifier: GPL-3.0-or-later */
/* picker.h - which bytes to ask for next, and from which source.
 *
 * Pure. An image is a row of pieces. Of each piece a prefix is held: nothing, some bytes (a
 * *partial*), or all of it and verified. Behind it there may be bytes that were filled from what
 * the node has; between them are *holes*. A range request begins at the first byte of a piece that
 * is not held, and goes on over following holes and pieces that no request began, so that no byte
 * is asked for twice; only what was filled between two holes is, where it is little. A piece is in
 * at most one request at a time.
 *
 * Calling sequence: picker_init -> picker_next/picker_take ... picker_give_back ->
 * picker_release.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/byte_range.h"
#include "download/engine/held_runs.h"

/* Requests in flight are at most 32, and each leaves at most one partial; partials are picked
 * first. What does not fit is forgotten: fetched again, never wrong. */
#define PARTIALS_MAX   64
#define MISMATCHES_MAX 32

/* At most such a part of the image was filled and is fetched all the same, so that there are fewer
 * requests. */
#define PICKER_TWICE_PART 20u

#define SOURCE_NOBODY  (-1) /* nothing is held */
#define SOURCE_SEVERAL (-2) /* bytes of more than one source */

struct partial {
	uint32_t piece;
	uint32_t held; /* bytes from the piece's start */
	int source;    /* who brought them: an index, or SOURCE_SEVERAL */
};

/* A piece that did not match, and the sources that are not asked for it while others can be. */
struct mismatch {
	uint32_t piece;
	uint64_t sources; /* one bit a source */
};

struct picker {
	uint64_t size; /* of the image, bytes */
	uint32_t piece_size;
	uint32_t n_pieces;
	uint32_t n_verified;
	uint64_t bytes_verified;
	uint8_t *verified; /* bitmaps, owned; most significant bit of byte 0 = piece 0 */
	uint8_t *busy;     /* in a request, or being filled */
	uint8_t *reused;   /* of the verified: they were filled; for people who look */
	uint8_t *promised; /* not asked for: they are filled from what the node has; NULL = none */
	struct held_runs filled; /* bytes of pieces that could not be filled whole */
	uint64_t bytes_twice;    /* that were filled, and asked for all the same */
	struct partial partials[PARTIALS_MAX];
	unsigned n_partials;
	struct mismatch mismatches[MISMATCHES_MAX];
	unsigned n_mismatches;
};

enum pick_order { PICK_ASCENDING, PICK_DESCENDING };

/* For which source a range is picked, and how. */
struct pick {
	unsigned source;      /* its index, for mismatches */
	const uint8_t *has;   /* pieces it has; NULL = all */
	const uint8_t *left;  /* pieces left to another source; NULL = none */
	unsigned left_to;     /* its index: pieces it got wrong are not left to it */
	bool even_mismatched; /* no other source can be asked: also pieces that this source got
				 wrong */
	enum pick_order order;
	uint64_t want; /* bytes: rounded down to whole pieces, at least one */
	uint64_t join; /* bytes: what was filled between two holes is fetched if it is no more */
	uint64_t cap;  /* bytes, exact, may end inside a piece; 0 = none */
};

/* verified is copied. -ENOMEM leaves the picker released. */
int picker_init(struct picker *p, uint64_t size, uint32_t piece_size, const uint8_t *verified);
void picker_release(struct picker *p);

/* Find the next range; false = nothing to ask this source for. Changes nothing. */
bool picker_next(const struct picker *p, const struct pick *pick, struct byte_range *ret);

/* A request for this range begins: its pieces become busy. Returns the source that brought the
 * bytes that are held of its first piece. */
int picker_take(struct picker *p, const struct byte_range *range);

/* The whole file is asked for in one request: every missing piece becomes busy, and partials are
 * forgotten, since their bytes come again. Returns the range. */
struct byte_range picker_take_all(struct picker *p);

/* Pieces that are filled, and not asked for, until each is taken back; copied. -ENOMEM. */
int picker_promise(struct picker *p, const uint8_t *pieces);
/* The next promised pieces, at most max in a row, become busy. Returns how many, from *ret_first
 * on; 0 = none is left, and nothing is promised any more. */
uint32_t picker_take_promised(struct picker *p, uint32_t max, uint32_t *ret_first);
/* A piece was filled, or could not be: it is neither busy nor promised any more. */
void picker_take_back(struct picker *p, uint32_t piece);
void picker_promise_nothing(struct picker *p);

/* Some bytes of a piece were filled: n runs, in order, not all of it. They count until the piece is
 * verified or forgotten. -EINVAL: they are no such runs; -ENOMEM. */
int picker_hold(struct picker *p, uint32_t piece, const struct byte_range *runs, size_t n);
/* Are bytes of it held that were filled? */
bool picker_is_filled(const struct picker *p, uint32_t piece);
/* How many bytes were filled behind the range, if these are all of its last piece; else 0. */
uint64_t picker_filled_behind(const struct picker *p, const struct byte_range *range);

/* A piece of a running request is verified. Returns how many of its bytes were filled. */
uint64_t picker_verified(struct picker *p, uint32_t piece);

/* A verified piece was filled from what the node had. */
void picker_note_reused(struct picker *p, uint32_t piece);

/* The request for range has ended; what its source brought without a gap ends at held_end.
 * beginner: the return value of picker_take(). */
void picker_give_back(struct picker *p, const struct byte_range *range, uint64_t held_end,
		      int source, int beginner);

/* Forgets what is held of a piece that is not verified: it is fetched again. */
void picker_forget(struct picker *p, uint32_t piece);

/* If bytes that source brought and that are not verified turn out wrong, no source is blamed. */
void picker_disown_source(struct picker *p, unsigned source);

/* A piece brought by source alone did not match. */
void picker_mismatch(struct picker *p, uint32_t piece, unsigned source);

/* A mismatched piece that is not busy and may be asked for at source; false = none. */
bool picker_next_mismatched(const struct picker *p, const struct pick *pick,
			    struct byte_range *ret);

/* Is all that is missing of range among pieces, and did source get none of it wrong? */
bool picker_is_had_by(const struct picker *p, const struct byte_range *range, const uint8_t *pieces,
		      unsigned source);

/* The bytes of pieces that are neither verified nor in a request. */
uint64_t picker_unasked_bytes(const struct picker *p);

/* How many pieces are neither verified here nor among pieces? Those in requests count. */
uint32_t picker_missing_besides(const struct picker *p, const uint8_t *pieces);

/* The list of sources changes: forgets which source brought the bytes that are held, since the
 * indices change. */
void picker_disown(struct picker *p);

bool picker_is_complete(const struct picker *p);
bool picker_has(const struct picker *p, uint32_t piece);
uint64_t picker_piece_first(const struct picker *p, uint32_t piece);
uint32_t picker_piece_length(const struct picker *p, uint32_t piece);
