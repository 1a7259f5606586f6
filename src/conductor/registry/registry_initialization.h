/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_initialization.h - one conductor alone initializes a router that has connected.
 *
 * The conductor that claims the initialization sends the configuration, and says when that is
 * done. A claim that was not finished within five minutes is free again: its conductor may have
 * died, or its line hang. Claiming again before that does not extend the claim, and writes
 * nothing. After each enrolment the router is initialized anew: what was done for an enrolment that
 * has ended does not count for the one in its place.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_enrolment.h"

#define REGISTRY_CLAIM_S INT64_C(300)

enum registry_claim {
	REGISTRY_CLAIM_OURS,    /* go on: claimed now, or by an earlier call */
	REGISTRY_CLAIM_OTHERS,  /* another conductor has claimed it */
	REGISTRY_CLAIM_FINISHED /* nothing to do */
};

/* origin's time decides whether another's claim is too old. -ENOENT: that enrolment has ended. */
int registry_initialization_claim(struct registry *r, const struct registry_enrolment *who,
				  const struct registry_origin *origin, enum registry_claim *ret,
				  struct err *err);

/* -ENOENT: that enrolment has ended, or this conductor has no claim (any more). */
int registry_initialization_finish(struct registry *r, const struct registry_enrolment *who,
				   const struct registry_origin *origin, struct err *err);
