/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_drive.h - the rollouts that this conductor holds: read from the registry, stepped,
 * written, and then what is to be sent. On a worker; the loop touches none of it meanwhile.
 *
 * Whatever goes wrong with the registry, the rollout is dropped from memory, with the orders that
 * were not written; the next round reads it again. So what is written is all that counts.
 */
#pragma once

#include "conductor/registry/registry_rollouts.h"
#include "conductord/rollout_visit.h"

struct tunnel_book;
struct zone;

/* Between two questions to a member at work: with many of them fewer. */
#define ROLLOUT_ASK_MS      1000
#define ROLLOUT_ASK_EACH_MS 20
#define ROLLOUT_ASK_MAX_MS  10000
#define ROLLOUT_VISIT_MS    90000 /* the longest that a visit may take: then it is begun again */
#define ROLLOUT_BEAT_MS     5000  /* at least so often its holder writes */
#define ROLLOUT_STALE_MS    30000 /* a holder that has not written for so long is gone */
#define ROLLOUT_VISITS      256   /* that one round begins, of each rollout */
#define ROLLOUT_PROBES      64    /* unreachable members that one round looks for */

/* One rollout that is not over. */
struct driven {
	struct driven *next;
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

/* An answer to a visit, kept until the next round. */
struct driven_answer {
	struct driven_answer *next;
	char name[TOKEN_NAME_SIZE];
	int64_t created_s;
	struct rollout_answer answer;
};

struct rollout_drive {
	struct registry *registry;
	struct tunnel_book *book;
	const char *conductor; /* this one's name */
	struct driven *first;
};

/* One round; takes the answers. Returns whether there is any rollout that is not over. */
bool rollout_drive_round(struct rollout_drive *d, struct driven_answer *answers, int64_t steady_ms,
			 int64_t wall_s);
void rollout_drive_release(struct rollout_drive *d);
