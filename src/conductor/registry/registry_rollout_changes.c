/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an operator and a rollout's holder change. All of them wait for each other at its row. */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_rollout_row.h"
#include "conductor/registry/registry_rollout_text.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

static int lock_rollout(struct registry_session *session, const char *name,
			struct registry_rollout *ret, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	int rc = query_run(session, err, "UPDATE rollouts SET name = name WHERE name = $1",
			   value_text(name));

	if (rc == 0)
		rc = query_open(&q, session, err, REGISTRY_ROLLOUT_COLUMNS " WHERE name = $1",
				value_text(name));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc == 1)
		registry_rollout_read(&q, ret);
	return rc == 0 ? registry_rollout_say_none(name, err) : MIN(rc, 0);
}

static int write_head(struct registry_session *session, const char *name,
		      const struct rollout_head *head, struct err *err)
{
	return query_run(session, err,
			 "UPDATE rollouts SET stage = $2, stop = $3, phase = $4, approved = $5,"
			 " soaked = $6, forgiven = $7 WHERE name = $1",
			 value_text(name), value_integer(head->stage), value_integer(head->stop),
			 value_integer(head->phase), value_integer(head->approved),
			 value_integer(head->soaked_s), value_integer(head->forgiven));
}

struct wish_work {
	const char *name;
	enum rollout_wish wish;
	const struct registry_origin *origin;
};

static int write_wish(struct registry_session *session, void *work, struct err *err)
{
	static const char *const names[] = {
		[ROLLOUT_PAUSE] = "paused",
		[ROLLOUT_RESUME] = "resumed",
		[ROLLOUT_APPROVE] = "approved",
		[ROLLOUT_CANCEL] = "cancelled",
	};
	const struct wish_work *w = work;
	struct registry_rollout rollout = {.name = ""};
	const char *what = names[w->wish];
	int rc = lock_rollout(session, w->name, &rollout, err);

	if (rc < 0)
		return rc;
	if (w->wish == ROLLOUT_RESUME && rollout.head.stop == ROLLOUT_HALTED)
		what = "resumed in spite of its failures";
	rc = rollout_wish(&rollout.head, w->wish, rollout.counts[ROLLOUT_FAILED], err);
	if (rc == 0)
		rc = write_head(session, w->name, &rollout.head, err);
	if (rc == 0)
		rc = query_run(session, err,
			       "UPDATE rollouts SET revision = revision + 1 WHERE name = $1",
			       value_text(w->name));
	return rc < 0 ? rc : registry_rollout_note(session, w->origin, w->name, what, err);
}

int registry_rollout_wish(struct registry *r, const char *name, enum rollout_wish wanted,
			  const struct registry_origin *origin, struct err *err)
{
	struct wish_work w = {.name = name, .wish = wanted, .origin = origin};
	int rc = registry_check_name("rollout", name, err);

	return rc < 0 ? rc : registry_write(r, write_wish, &w, err);
}

struct take_work {
	const char *name;
	int64_t beat;
};

static int say_stale(const char *name, struct err *err)
{
	return err_set(err, -ESTALE, "rollout %s was changed by somebody else meanwhile", name);
}

static int take_over(struct registry_session *session, void *work, struct err *err)
{
	const struct take_work *w = work;
	struct registry_rollout rollout = {.name = ""};
	int rc = lock_rollout(session, w->name, &rollout, err);

	if (rc == 0 && rollout.beat != w->beat)
		rc = say_stale(w->name, err);
	return rc < 0 ? rc
		      : query_run(
				session, err,
				"UPDATE rollouts SET holder = $2, beat = beat + 1 WHERE name = $1",
				value_text(w->name), value_text(session->conductor));
}

int registry_rollout_take(struct registry *r, const char *name, int64_t beat, struct err *err)
{
	struct take_work w = {.name = name, .beat = beat};

	return registry_write(r, take_over, &w, err);
}

struct write_work {
	const char *name;
	const struct registry_rollout_changes *changes;
};

static int write_block(struct registry_session *session, const struct write_work *w, uint32_t block,
		       struct err *err)
{
	const struct rollout *rollout = w->changes->rollout;
	const uint32_t first = block * REGISTRY_ROLLOUT_BLOCK;
	const uint32_t n = MIN(rollout->plan.n - first, REGISTRY_ROLLOUT_BLOCK);
	char states[REGISTRY_ROLLOUT_BLOCK + 1];

	for (uint32_t i = 0; i < n; i++)
		states[i] = rollout_text_letter(rollout->members[first + i]);
	states[n] = '\0';
	return query_run(session, err,
			 "UPDATE rollout_blocks SET states = $3 WHERE rollout = $1 AND block = $2",
			 value_text(w->name), value_integer(block), value_text(states));
}

static int write_reasons(struct registry_session *session, const struct write_work *w,
			 struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->changes->n_reasons; i++)
		rc = query_run(session, err,
			       "INSERT INTO rollout_reasons (rollout, member, reason)"
			       " VALUES ($1, $2, $3) ON CONFLICT (rollout, member)"
			       " DO UPDATE SET reason = excluded.reason",
			       value_text(w->name), value_integer(w->changes->reasons[i].member),
			       value_text(w->changes->reasons[i].text));
	return rc;
}

static int write_all(struct registry_session *session, void *work, struct err *err)
{
	const struct write_work *w = work;
	const struct rollout *rollout = w->changes->rollout;
	struct registry_rollout now = {.name = ""};
	char counts[ROLLOUT_TEXT_SIZE];
	int rc = lock_rollout(session, w->name, &now, err);

	if (rc < 0)
		return rc;
	if (strcmp(now.holder, session->conductor) != 0 || now.revision != w->changes->revision)
		return say_stale(w->name, err);
	rc = write_head(session, w->name, &rollout->head, err);
	for (uint32_t i = 0; rc == 0 && i * REGISTRY_ROLLOUT_BLOCK < rollout->plan.n; i++)
		if (w->changes->dirty && w->changes->dirty[i])
			rc = write_block(session, w, i, err);
	if (rc == 0)
		rc = write_reasons(session, w, err);
	rollout_text_numbers(rollout->counts, N_ROLLOUT_MEMBER_STATES, counts);
	return rc < 0 ? rc
		      : query_run(
				session, err,
				"UPDATE rollouts SET counts = $2, beat = beat + 1 WHERE name = $1",
				value_text(w->name), value_text(counts));
}

int registry_rollout_write(struct registry *r, const char *name,
			   const struct registry_rollout_changes *changes, struct err *err)
{
	struct write_work w = {.name = name, .changes = changes};

	return registry_write(r, write_all, &w, err);
}
