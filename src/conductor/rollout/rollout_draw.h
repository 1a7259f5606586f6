/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_draw.h - in which order routers take their turn, and how many are of each phase. Pure.
 *
 * The order is drawn by digests of the names: the same for the same rollout on each conductor, and
 * another one for the next rollout, so that not always the same routers are the first.
 */
#pragma once

#include <stddef.h>

#include "conductor/rollout/rollout.h"

struct rollout_candidate {
	const char *name;
	const char *value; /* of the label by which they are spread; "" = none */

	/* The draw's own. */
	uint64_t lot;
	double place;
};

/* Puts them in order: of each value the same share among the first ones, however many those are. */
void rollout_draw(struct rollout_candidate *candidates, size_t n, const char *rollout);

/* "1", "5%": how far each phase goes, of n members; a share is rounded up. Phases that would be
 * empty are left out, and the last one is of all. -EINVAL: a text that is neither a number from 1
 * nor 1% to 100%, or too many. */
int rollout_phases(struct rollout_plan *plan, const char *const *texts, size_t n_texts,
		   struct err *err);
