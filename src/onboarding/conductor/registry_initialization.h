/* registry_initialization.h - a router that is connected is initialized by one conductor.
 *
 * Who claims it sends the configuration and says when that is done. A claim that was not finished
 * within five minutes is anybody's again: its conductor may have died, or its line hang. Asking
 * again does not renew it before that, and writes nothing. Each enrolment begins anew.
 */
#pragma once

#include <stdint.h>

#include "core/err.h"
#include "onboarding/conductor/registry.h"

#define REGISTRY_CLAIM_S INT64_C(300)

enum registry_claim {
	REGISTRY_CLAIM_OURS,    /* go on: now, or since an earlier call */
	REGISTRY_CLAIM_OTHERS,  /* another conductor is at it */
	REGISTRY_CLAIM_FINISHED /* nothing to do */
};

/* origin's time decides whether another's claim is too old. -ENOENT: the node is not enrolled. */
int registry_initialization_claim(struct registry *r, const char *router, const char *node,
				  const struct registry_origin *origin, enum registry_claim *ret,
				  struct err *err);

/* -ENOENT: this conductor has no claim (any more). */
int registry_initialization_finish(struct registry *r, const char *router, const char *node,
				   const struct registry_origin *origin, struct err *err);
