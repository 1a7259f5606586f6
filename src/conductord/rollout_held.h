/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_held.h - one rollout in the memory of the conductor that holds it: read from the
 * registry, and written to it before anything is sent. On a worker.
 *
 * Calling sequence: rollout_held_is_free -> rollout_held_take -> rollout_held_write ... ->
 * rollout_held_let_go.
 */
#pragma once

#include "conductor/registry/registry_rollouts.h"
#include "conductord/rollout_visit.h"

struct zone;

#define ROLLOUT_BEAT_MS  5000  /* at least so often its holder writes */
#define ROLLOUT_STALE_MS 30000 /* a holder that has not written for so long is gone */

/* One rollout that is not over. */
struct rollout_held {
	struct rollout_held *next;
	char name[TOKEN_NAME_SIZE];
	int64_t created_s;
	int64_t beat; /* as it was seen */
	int64_t beat_ms;
	bool is_held; /* the rest is there */
	char version[REGISTRY_ROLLOUT_VERSION_SIZE];
	int64_t revision;
	int64_t written_ms;
	struct rollout_head written;
	struct rollout rollout;
	struct zone *zone;
	registry_member_name *names;
	int64_t *asked_ms; /* each member; in the future while it is visited */
	bool *dirty;       /* of each block */
	bool is_dirty;
	uint32_t probed;
	struct rollout_visit *orders; /* not written yet */
	struct rollout_visit *visits; /* to be started */
	struct registry_rollout_reason *reasons;
	size_t n_reasons;
	bool has_halted; /* since the last look of the loop */
	bool is_over;
};

/* Is it this conductor's, or nobody's any more? To be asked at each look at its row. */
bool rollout_held_is_free(struct rollout_held *d, const char *conductor,
			  const struct registry_rollout *row, int64_t steady_ms);
/* Takes and reads it. is_held tells whether it could. */
void rollout_held_take(struct registry *registry, struct rollout_held *d,
		       const struct registry_rollout *row, int64_t steady_ms);
/* Frees what was read, with the orders that were not written. */
void rollout_held_let_go(struct rollout_held *d);

/* One more visit to a member; freed with free(). NULL: out of memory. */
struct rollout_visit *rollout_held_visit(struct rollout_held *d, uint32_t member,
					 enum rollout_errand errand);

/* Writes what has changed, and beats. A negative errno: nothing was written, and nothing may be
 * sent. */
int rollout_held_write(struct registry *registry, struct rollout_held *d, int64_t steady_ms);
