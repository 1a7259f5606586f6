/* SPDX-License-Identifier: GPL-3.0-or-later */
/* held_runs.h - which bytes of unverified pieces were copied from what the node has.
 *
 * Pure. A *run* is such bytes that follow one another; it lies in one piece. Runs are kept in
 * order, and none overlaps another.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/byte_range.h"

struct held_runs {
	struct byte_range *runs; /* owned */
	size_t n;
	size_t room;
	uint64_t bytes; /* of all runs */
};

/* Adds n runs, in order, to a place where nothing is held. -ENOMEM: none of them. */
int held_runs_add(struct held_runs *h, const struct byte_range *runs, size_t n);

/* The first run that ends behind the byte `at`; NULL = there is none. It is in order: the next is
 * behind it, until held_runs_end(). */
const struct byte_range *held_runs_from(const struct held_runs *h, uint64_t at);
const struct byte_range *held_runs_end(const struct held_runs *h);

/* Forgets the runs that have bytes of range. Returns how many bytes they had. */
uint64_t held_runs_drop(struct held_runs *h, const struct byte_range *range);
void held_runs_release(struct held_runs *h);
