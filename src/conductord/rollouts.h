/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollouts.h - drives the rollouts of the registry: a round each second on a worker
 * (rollout_drive.h), and visits to routers on the loop.
 *
 * Calling sequence: rollouts_init -> rollouts_start -> rollouts_look ... -> rollouts_close.
 */
#pragma once

#include <uv.h>

#include "base/work.h"
#include "conductord/rollout_drive.h"
#include "conductord/rollout_news.h"

struct node;
struct work_pool;

#define ROLLOUTS_ROUND_MS 1000
#define ROLLOUTS_KNOWN_MS 30000 /* what the registry has said holds so long */
#define ROLLOUTS_IDLE     5     /* seconds between two looks for rollouts, where there are none */

struct rollouts_options {
	struct node *node;
	struct work_pool *pool;
	struct registry *registry;
	struct tunnel_book *book;
	struct router_calls *calls;
	const char *conductor; /* this one's name; borrowed */
};

struct rollouts {
	struct rollouts_options options;
	uv_timer_t timer;
	struct work work;
	bool is_running;
	bool look_again; /* somebody has asked since the round began */
	bool any;        /* that is not over */
	unsigned idle;
	struct rollout_drive drive;
	struct rollout_news news;
	bool was_read;                        /* the news are those of read_ms */
	uint64_t read_ms;                     /* when the registry was last read */
	struct rollout_drive_answer *answers; /* since the round began */
	void (*closed)(void *owner);          /* NULL = not closing */
	void *owner;
	/* The worker's while it runs. */
	struct rollout_drive_answer *taken;
	int64_t steady_ms;
	bool found; /* one that is not over */
};

void rollouts_init(struct rollouts *r, const struct rollouts_options *options);
void rollouts_start(struct rollouts *r);
/* There is another one, or an operator wants something. */
void rollouts_look(struct rollouts *r);
/* Does a rollout that is not over name the version? True also while that is not known. */
bool rollouts_name(const struct rollouts *r, const char *version);
/* No visit and no round is under way: the node has waited for them. */
void rollouts_close(struct rollouts *r, void (*closed)(void *owner), void *owner);
