/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_drive.h - the rollouts that this conductor holds: read from the registry, stepped,
 * written, and then what is to be sent. On a worker; the loop touches none of it meanwhile.
 *
 * Whatever goes wrong with the registry, the rollout is dropped from memory, with the orders that
 * were not written; the next round reads it again. So what is written is all that counts.
 */
#pragma once

#include "conductord/rollout_held.h"

struct tunnel_book;

/* Between two questions to a member at work: with many of them fewer. */
#define ROLLOUT_ASK_MS      1000
#define ROLLOUT_ASK_EACH_MS 20
#define ROLLOUT_ASK_MAX_MS  10000
#define ROLLOUT_VISIT_MS    90000 /* the longest that a visit may take: then it is begun again */
#define ROLLOUT_VISITS      256   /* that one round begins, of each rollout */
#define ROLLOUT_PROBES      64    /* unreachable members that one round looks for */

/* An answer to a visit, kept until the next round. */
struct rollout_drive_answer {
	struct rollout_drive_answer *next;
	char name[TOKEN_NAME_SIZE];
	int64_t created_s;
	struct rollout_answer answer;
};

struct rollout_drive {
	struct registry *registry;
	struct tunnel_book *book;
	const char *conductor; /* this one's name */
	struct rollout_held *first;
	/* All rollouts, as the last round read them; freed with free(). The loop takes them. */
	struct registry_rollout *rows;
	size_t n_rows;
	bool was_read; /* the registry has answered in the last round */
};

/* One round; takes the answers. Returns whether there is any rollout that is not over. */
bool rollout_drive_round(struct rollout_drive *d, struct rollout_drive_answer *answers,
			 int64_t steady_ms, int64_t wall_s);
void rollout_drive_release(struct rollout_drive *d);
