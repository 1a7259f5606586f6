/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_rollouts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_rollout_row.h"
#include "conductor/registry/registry_rollout_text.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct registry_rollout *)a)->name,
		      ((const struct registry_rollout *)b)->name);
}

int registry_rollouts_list(struct registry *r, struct registry_rollout **ret, size_t *ret_n,
			   struct err *err)
{
	struct registry_listing list = {
		.sql = REGISTRY_ROLLOUT_COLUMNS,
		.row_size = sizeof(**ret),
		.read = registry_rollout_read,
		.compare = by_name,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

int registry_rollout_find(struct registry *r, const char *name, struct registry_rollout *ret,
			  struct err *err)
{
	struct registry_listing list = {
		.sql = REGISTRY_ROLLOUT_COLUMNS " WHERE name = $1",
		.values = {value_text(name)},
		.n_values = 1,
		.row_size = sizeof(*ret),
		.read = registry_rollout_read,
	};
	int rc = registry_find(r, &list, ret, err);

	return rc == 0 ? registry_rollout_say_none(name, err) : MIN(rc, 0);
}

/* Create. */

struct create_work {
	const struct registry_rollout *rollout;
	const registry_member_name *names;
	const struct registry_origin *origin;
};

static int refuse_second(struct registry_session *session, const char *name, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc = query_open(&q, session, err, "SELECT 1 FROM rollouts WHERE name = $1",
			    value_text(name));

	if (rc == 0)
		rc = query_next(&q, err);
	return rc == 1 ? err_set(err, -EEXIST, "there is a rollout %s already", name) : rc;
}

static int forget_old(struct registry_session *session, struct err *err)
{
	return query_run(session, err,
			 "DELETE FROM rollouts WHERE name IN (SELECT name FROM rollouts"
			 " WHERE stage = $1 ORDER BY created DESC, name LIMIT 1000000 OFFSET $2)",
			 value_integer(ROLLOUT_OVER), value_integer(REGISTRY_ROLLOUTS_KEPT - 1));
}

static int insert_head(struct registry_session *session, const struct registry_rollout *rollout,
		       struct err *err)
{
	const struct rollout_plan *p = &rollout->plan;
	uint32_t counts[N_ROLLOUT_MEMBER_STATES] = {[ROLLOUT_WAITING] = p->n};
	char phases[ROLLOUT_TEXT_SIZE];
	char window[ROLLOUT_TEXT_SIZE];
	char counted[ROLLOUT_TEXT_SIZE];

	rollout_text_numbers(p->phase_ends, p->n_phases, phases);
	rollout_text_window(p, window);
	rollout_text_numbers(counts, N_ROLLOUT_MEMBER_STATES, counted);
	return query_run(
		session, err,
		"INSERT INTO rollouts (name, version, selector, created, members, phases,"
		" parallel, failures, failures_percent, soak, approve, finish, sequenced, opens,"
		" zone, deadline, stage, stop, phase, approved, soaked, forgiven, counts, holder,"
		" beat, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
		" $14, $15, $16, 0, 0, 0, 0, 0, 0, $17, '', 0, 0)",
		value_text(rollout->name), value_text(rollout->version),
		value_text(rollout->selector), value_integer(rollout->created_s),
		value_integer(p->n), value_text(phases), value_integer(p->parallel),
		value_integer(p->failures), value_integer(p->failures_are_percent),
		value_integer(p->soak_s), value_integer(p->approve), value_integer(p->finish),
		value_integer(p->sequenced), value_text(window), value_text(rollout->zone),
		value_integer(p->deadline_s), value_text(counted));
}

/* A line for each name, a letter for each state. */
static int insert_block(struct registry_session *session, const struct create_work *w,
			uint32_t block, struct err *err)
{
	const uint32_t first = block * REGISTRY_ROLLOUT_BLOCK;
	const uint32_t n = MIN(w->rollout->plan.n - first, REGISTRY_ROLLOUT_BLOCK);
	char *names = malloc(n * sizeof(registry_member_name) + 1);
	char states[REGISTRY_ROLLOUT_BLOCK + 1];
	size_t used = 0;
	int rc;

	if (!names)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < n; i++)
		used += (size_t)sprintf(names + used, "%s\n", w->names[first + i]);
	memset(states, rollout_text_letter(rollout_member_pack(ROLLOUT_WAITING, false)), n);
	states[n] = '\0';
	rc = query_run(session, err,
		       "INSERT INTO rollout_blocks (rollout, block, routers, states)"
		       " VALUES ($1, $2, $3, $4)",
		       value_text(w->rollout->name), value_integer(block), value_text(names),
		       value_text(states));
	free(names);
	return rc;
}

static int create(struct registry_session *session, void *work, struct err *err)
{
	const struct create_work *w = work;
	int rc = refuse_second(session, w->rollout->name, err);

	if (rc == 0)
		rc = forget_old(session, err);
	if (rc == 0)
		rc = insert_head(session, w->rollout, err);
	for (uint32_t i = 0; rc == 0 && i * REGISTRY_ROLLOUT_BLOCK < w->rollout->plan.n; i++)
		rc = insert_block(session, w, i, err);
	return rc < 0 ? rc
		      : registry_rollout_note(session, w->origin, w->rollout->name, "created", err);
}

int registry_rollout_create(struct registry *r, const struct registry_rollout *rollout,
			    const registry_member_name *names, const struct registry_origin *origin,
			    struct err *err)
{
	struct create_work w = {.rollout = rollout, .names = names, .origin = origin};
	int rc = registry_check_name("rollout", rollout->name, err);

	return rc < 0 ? rc : registry_write(r, create, &w, err);
}

/* Members. */

struct members_work {
	const char *name;
	uint32_t n;
	registry_member_name *names;
	uint8_t *members;
};

/* Returns how many lines and letters fit to each other, up to max. */
static uint32_t read_block(const char *routers, const char *states, registry_member_name *names,
			   uint8_t *members, uint32_t max)
{
	uint32_t n = 0;

	while (*routers && *states && n < max) {
		size_t length = strcspn(routers, "\n");

		if (length >= sizeof(registry_member_name) ||
		    !rollout_text_member(*states++, &members[n]))
			return n;
		memcpy(names[n], routers, length);
		names[n++][length] = '\0';
		routers += length + (routers[length] == '\n');
	}
	return n;
}

static int read_members(struct registry_session *session, void *work, struct err *err)
{
	const struct members_work *w = work;
	_cleanup_(query_close) struct query q = {0};
	uint32_t n = 0;
	int rc = query_open(
		&q, session, err,
		"SELECT routers, states FROM rollout_blocks WHERE rollout = $1 ORDER BY block",
		value_text(w->name));

	while (rc == 0 && (rc = query_next(&q, err)) == 1) {
		char *routers = query_copy(&q, 0);
		char *states = query_copy(&q, 1);

		rc = routers && states ? 0 : err_set(err, -ENOMEM, "out of memory");
		if (rc == 0)
			n += read_block(routers, states, w->names + n, w->members + n, w->n - n);
		free(routers);
		free(states);
	}
	if (rc == 0 && n != w->n)
		rc = err_set(err, -EBADMSG, "rollout %s: its rows have %u of %u members", w->name,
			     n, w->n);
	return rc;
}

int registry_rollout_members(struct registry *r, const char *name, uint32_t n,
			     registry_member_name *ret_names, uint8_t *ret_members, struct err *err)
{
	struct members_work w = {.name = name, .n = n, .names = ret_names, .members = ret_members};

	return registry_read(r, read_members, &w, err);
}

static void read_reason(struct query *q, void *row)
{
	struct registry_rollout_reason *reason = row;

	reason->member = (uint32_t)query_integer(q, 0);
	query_text(q, 1, reason->text, sizeof(reason->text));
}

int registry_rollout_reasons(struct registry *r, const char *name,
			     struct registry_rollout_reason **ret, size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = "SELECT member, reason FROM rollout_reasons WHERE rollout = $1"
		       " ORDER BY member",
		.values = {value_text(name)},
		.n_values = 1,
		.row_size = sizeof(**ret),
		.read = read_reason,
	};

	return registry_list(r, &list, ret, ret_n, err);
}
