/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_rollouts.h - rollouts as they are written down.
 *
 * One conductor drives a rollout: its holder. Each time that it writes, it beats; another one takes
 * over from a holder whose beat stands still. What an operator wants is written by any conductor,
 * and raises the revision: a holder that knows an older one cannot write, and reads again.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "conductor/rollout/rollout.h"
#include "onboarding/token.h"

#define REGISTRY_ROLLOUT_MEMBERS_MAX  200000
#define REGISTRY_ROLLOUTS_KEPT        50 /* that are over */
#define REGISTRY_ROLLOUT_VERSION_SIZE 128
#define REGISTRY_ROLLOUT_TEXT_SIZE    1536
#define REGISTRY_ROLLOUT_REASON_SIZE  256

typedef char registry_member_name[TOKEN_NAME_SIZE];

struct registry_rollout {
	char name[TOKEN_NAME_SIZE];
	char version[REGISTRY_ROLLOUT_VERSION_SIZE];
	char selector[REGISTRY_ROLLOUT_TEXT_SIZE]; /* as people read it */
	char zone[TOKEN_NAME_SIZE];                /* of the window; "" = UTC */
	int64_t created_s;
	struct rollout_plan plan;
	struct rollout_head head;
	uint32_t counts[N_ROLLOUT_MEMBER_STATES];
	char holder[TOKEN_NAME_SIZE]; /* a conductor; "" = none yet */
	int64_t beat;
	int64_t revision;
};

/* names: of plan.n members, in their order. Of rollouts that are over the oldest go, so that
 * REGISTRY_ROLLOUTS_KEPT are left. -EEXIST: there is one of this name. */
int registry_rollout_create(struct registry *r, const struct registry_rollout *rollout,
			    const registry_member_name *names, const struct registry_origin *origin,
			    struct err *err);

/* By their names. Freed with free(). */
int registry_rollouts_list(struct registry *r, struct registry_rollout **ret, size_t *ret_n,
			   struct err *err);
/* -ENOENT. */
int registry_rollout_find(struct registry *r, const char *name, struct registry_rollout *ret,
			  struct err *err);

/* What its n members are called, and how they stand (rollout_member_pack()); both have room for n.
 * -EBADMSG: the rows are not those of n members. */
int registry_rollout_members(struct registry *r, const char *name, uint32_t n,
			     registry_member_name *ret_names, uint8_t *ret_members,
			     struct err *err);

struct registry_rollout_reason {
	uint32_t member;
	char text[REGISTRY_ROLLOUT_REASON_SIZE];
};
/* By member. Freed with free(). */
int registry_rollout_reasons(struct registry *r, const char *name,
			     struct registry_rollout_reason **ret, size_t *ret_n, struct err *err);

/* An operator wants that. -ENOENT; -EBUSY: not as it stands. */
int registry_rollout_wish(struct registry *r, const char *name, enum rollout_wish wish,
			  const struct registry_origin *origin, struct err *err);

/* Become its holder, if its beat is still this one. -ESTALE: somebody else has it. */
int registry_rollout_take(struct registry *r, const char *name, int64_t beat, struct err *err);

struct registry_rollout_changes {
	const struct rollout *rollout;
	int64_t revision;  /* that it is based on */
	const bool *dirty; /* for each block of members; NULL = none */
	const struct registry_rollout_reason *reasons;
	size_t n_reasons;
};
#define REGISTRY_ROLLOUT_BLOCK 1000u

/* Writes all of it or nothing, and beats. -ESTALE: this conductor is not the holder any more, or
 * an operator has changed it meanwhile. */
int registry_rollout_write(struct registry *r, const char *name,
			   const struct registry_rollout_changes *changes, struct err *err);
