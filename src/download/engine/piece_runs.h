/* SPDX-License-Identifier: GPL-3.0-or-later */
/* piece_runs.h - the map of an image's pieces, for people: what is there, what comes and from whom,
 * what is missing. Pure.
 *
 * Neighbours of which the same is to be said are one run. Where that makes more than
 * PIECE_RUNS_MAX, pieces are looked at in groups of a power of two, the grain, and a group is what
 * is most worth seeing of it: so the map is bounded however an image is in pieces.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "download/engine/engine.h"

#define PIECE_RUNS_MAX 1000u

/* Of a group: the first of these that one of its pieces is. */
enum piece_look {
	PIECE_COMING,  /* in a request, or being copied from another image of the node */
	PIECE_HELD,    /* its beginning is, or bytes of it were copied */
	PIECE_MISSING, /* n_verified says how many of the run are not */
	PIECE_VERIFIED,
	PIECE_REUSED, /* verified, and copied from another image since the daemon's start */
};

struct piece_run {
	uint32_t first;
	uint32_t n;
	uint32_t n_verified;
	enum piece_look look;
	int source; /* that it comes from, an index; SOURCE_NOBODY = it is copied, or does not come
		     */
};

struct piece_runs {
	uint32_t grain; /* pieces of a group */
	size_t n;
	struct piece_run runs[PIECE_RUNS_MAX]; /* from the first piece to the last, without a gap */
};

/* Without an image there is no run. */
void piece_runs_read(const struct engine *e, struct piece_runs *ret);

const char *piece_look_name(enum piece_look look);
