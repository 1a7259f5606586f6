/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_rollout_row.h - a rollout's row, for those that read and change it. */
#pragma once

#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_query.h"
#include "conductor/registry/registry_rollouts.h"

/* What registry_rollout_read() reads, and where from. */
#define REGISTRY_ROLLOUT_COLUMNS                                                                   \
	"SELECT name, version, selector, created, members, phases, parallel, failures,"            \
	" failures_percent, soak, approve, finish, sequenced, opens, zone, deadline, stage, stop," \
	" phase, approved, soaked, forgiven, counts, holder, beat, revision FROM rollouts"

/* row: a struct registry_rollout. */
void registry_rollout_read(struct query *q, void *row);

/* -ENOENT, with the name. */
int registry_rollout_say_none(const char *name, struct err *err);

/* Into the audit: "rollout NAME: what". */
int registry_rollout_note(struct registry_session *session, const struct registry_origin *origin,
			  const char *name, const char *what, struct err *err);
