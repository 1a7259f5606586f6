/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_visit.h - one order or question of a rollout, to all enrolled nodes of a member through
 * their tunnels, and what the member's download is in one word.
 *
 * The nodes of a router are one member: it is done when all of them are, and has failed when one
 * of them has.
 */
#pragma once

#include "conductor/rollout/rollout.h"
#include "conductord/router_call.h"
#include "conductord/router_nodes.h"

#define ROLLOUT_REASON_SIZE 256

enum rollout_errand {
	ROLLOUT_ERRAND_ASK,
	ROLLOUT_ERRAND_ORDER,
	ROLLOUT_ERRAND_HOLD,
	ROLLOUT_ERRAND_GO_ON
};

struct rollout_answer {
	uint32_t member;
	enum rollout_told told;
	char reason[ROLLOUT_REASON_SIZE]; /* of a failure */
};

struct rollout_visit {
	struct rollout_visit *next; /* the owner's */
	uint32_t member;
	enum rollout_errand errand;
	const char *version; /* borrowed until done */
	bool sequenced;
	struct router_nodes nodes; /* of which the enrolled ones are asked */
	void (*done)(struct rollout_visit *visit, const struct rollout_answer *answer);
	void *owner;
	/* The visit's own. */
	struct router_calls *calls;
	unsigned awaited;
	struct rollout_visit_node {
		struct rollout_visit *visit;
		bool asks; /* how its download is */
		bool asks_images;
		enum rollout_told told;
		char reason[ROLLOUT_REASON_SIZE];
	} each[ROUTER_NODES_MAX];
};

/* done comes later, once; not if the conductor stops before. At least one node is enrolled. */
void rollout_visit_start(struct rollout_visit *visit, struct router_calls *calls);

/* Pure: of two nodes' states, that of the router. */
enum rollout_told rollout_visit_join(enum rollout_told a, enum rollout_told b);
