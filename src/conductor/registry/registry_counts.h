/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_counts.h - counts rows in the database itself, so that a registry of ten thousand
 * routers is locked only for a moment, and no rows are transferred.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "onboarding/mode.h"

struct registry_counts {
	unsigned routers[ONBOARDING_STRONG + 1]; /* by mode */
	unsigned nodes;
	unsigned enrolments;
	/* Each token is counted in one of these. */
	unsigned tokens_valid;
	unsigned tokens_expired;
	unsigned tokens_revoked;
};

/* Counts for one router, or for all (NULL), at one moment. -ENOENT: there is no such router. */
int registry_counts_read(struct registry *r, const char *router, int64_t now_s,
			 struct registry_counts *ret, struct err *err);
