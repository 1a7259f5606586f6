/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_rollout_row.h"

#include <errno.h>
#include <stdio.h>

#include "conductor/registry/registry_rollout_text.h"

static void read_plan(struct query *q, struct rollout_plan *plan)
{
	char text[ROLLOUT_TEXT_SIZE];

	plan->n = (uint32_t)query_integer(q, 4);
	query_text(q, 5, text, sizeof(text));
	rollout_text_read_phases(text, plan);
	plan->parallel = (uint32_t)query_integer(q, 6);
	plan->failures = (uint32_t)query_integer(q, 7);
	plan->failures_are_percent = query_integer(q, 8);
	plan->soak_s = query_integer(q, 9);
	plan->approve = query_integer(q, 10);
	plan->finish = query_integer(q, 11);
	plan->sequenced = query_integer(q, 12);
	query_text(q, 13, text, sizeof(text));
	rollout_text_read_window(text, plan);
	plan->deadline_s = query_integer(q, 15);
}

void registry_rollout_read(struct query *q, void *row)
{
	struct registry_rollout *rollout = row;
	char counts[ROLLOUT_TEXT_SIZE];

	memset(rollout, 0, sizeof(*rollout));
	query_text(q, 0, rollout->name, sizeof(rollout->name));
	query_text(q, 1, rollout->version, sizeof(rollout->version));
	query_text(q, 2, rollout->selector, sizeof(rollout->selector));
	rollout->created_s = query_integer(q, 3);
	read_plan(q, &rollout->plan);
	query_text(q, 14, rollout->zone, sizeof(rollout->zone));
	rollout->head.stage = (enum rollout_stage)query_integer(q, 16);
	rollout->head.stop = (enum rollout_stop)query_integer(q, 17);
	rollout->head.phase = (unsigned)query_integer(q, 18);
	rollout->head.approved = query_integer(q, 19);
	rollout->head.soaked_s = query_integer(q, 20);
	rollout->head.forgiven = (uint32_t)query_integer(q, 21);
	query_text(q, 22, counts, sizeof(counts));
	rollout_text_read_numbers(counts, rollout->counts, N_ROLLOUT_MEMBER_STATES);
	query_text(q, 23, rollout->holder, sizeof(rollout->holder));
	rollout->beat = query_integer(q, 24);
	rollout->revision = query_integer(q, 25);
}

int registry_rollout_say_none(const char *name, struct err *err)
{
	return err_set(err, -ENOENT, "there is no rollout %s", name);
}

int registry_rollout_note(struct registry_session *session, const struct registry_origin *origin,
			  const char *name, const char *what, struct err *err)
{
	char reason[TOKEN_NAME_SIZE + 64];
	struct registry_event event = {.outcome = REGISTRY_CONFIGURED, .reason = reason};

	(void)snprintf(reason, sizeof(reason), "rollout %s: %s", name, what);
	return registry_audit_add(session, origin, &event, err);
}
