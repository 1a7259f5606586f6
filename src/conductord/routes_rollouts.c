/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes of rollouts: to make one, to look at it, and what an operator may want of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_rollouts.h"
#include "conductord/registry_job.h"
#include "conductord/rollout_members.h"
#include "conductord/rollout_order.h"
#include "conductord/routes_private.h"

#define ROUTERS_SHOWN 1000 /* of those that an operator has to look at */

static void look(struct registry_job *job)
{
	rollouts_look(&job->conductor->rollouts);
}

static int list_rollouts(struct registry_job *job, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_rollout *rows = NULL;
	cJSON *array;
	size_t n = 0;
	int rc = registry_rollouts_list(job->conductor->registry, &rows, &n, err);

	if (rc < 0)
		return rc;
	job->json = cJSON_CreateObject();
	array = cJSON_AddArrayToObject(job->json, "rollouts");
	for (size_t i = 0; i < n; i++)
		(void)cJSON_AddItemToArray(array, rollout_order_show(&rows[i]));
	return 0;
}

static const char *reason_of(const struct registry_rollout_reason *reasons, size_t n,
			     uint32_t member)
{
	for (size_t i = 0; i < n; i++)
		if (reasons[i].member == member)
			return reasons[i].text;
	return "";
}

static bool is_worth_a_look(enum rollout_member_state state)
{
	return state == ROLLOUT_UNREACHABLE || state == ROLLOUT_FAILED ||
	       state == ROLLOUT_ORDERED || state == ROLLOUT_DOWNLOADING;
}

static void add_routers(cJSON *json, const registry_member_name *names, const uint8_t *members,
			uint32_t n, const struct registry_rollout_reason *reasons, size_t n_reasons)
{
	cJSON *array = cJSON_AddArrayToObject(json, "routers");
	unsigned shown = 0;

	for (uint32_t i = 0; i < n && shown < ROUTERS_SHOWN; i++) {
		enum rollout_member_state state = (enum rollout_member_state)(
			members[i] & ~rollout_member_pack(ROLLOUT_WAITING, true));
		cJSON *item;

		if (!is_worth_a_look(state))
			continue;
		shown++;
		item = cJSON_CreateObject();
		(void)cJSON_AddStringToObject(item, "router", names[i]);
		(void)cJSON_AddStringToObject(item, "state", rollout_member_state_name(state));
		(void)cJSON_AddStringToObject(item, "reason", reason_of(reasons, n_reasons, i));
		(void)cJSON_AddItemToArray(array, item);
	}
}

static int show_rollout(struct registry_job *job, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_rollout_reason *reasons = NULL;
	_cleanup_(registry_rows_free) registry_member_name *names = NULL;
	_cleanup_(registry_rows_free) uint8_t *members = NULL;
	struct registry *r = job->conductor->registry;
	struct registry_rollout rollout;
	size_t n_reasons = 0;
	int rc = registry_rollout_find(r, job->rollout, &rollout, err);

	if (rc < 0)
		return rc;
	names = calloc(rollout.plan.n + 1, sizeof(*names));
	members = calloc(rollout.plan.n + 1, 1);
	if (!names || !members)
		return err_set(err, -ENOMEM, "out of memory");
	rc = registry_rollout_members(r, job->rollout, rollout.plan.n, names, members, err);
	if (rc == 0)
		rc = registry_rollout_reasons(r, job->rollout, &reasons, &n_reasons, err);
	if (rc < 0)
		return rc;
	job->json = rollout_order_show(&rollout);
	add_routers(job->json, names, members, rollout.plan.n, reasons, n_reasons);
	return 0;
}

static int create_rollout(struct registry_job *job, struct err *err)
{
	_cleanup_(registry_rows_free) registry_member_name *names = NULL;
	struct registry *r = job->conductor->registry;
	struct registry_rollout rollout;
	char spread[TOKEN_NAME_SIZE];
	int rc = rollout_order_read(job->body, &rollout, spread, err);

	if (rc == 0)
		rc = rollout_members_select(
			r, cJSON_GetObjectItemCaseSensitive(job->body, "selector"), spread,
			rollout.name, &names, &rollout.plan.n, rollout.selector, err);
	if (rc == 0)
		rc = rollout_order_finish(job->body, &rollout, err);
	if (rc < 0)
		return rc;
	if (rollout.plan.deadline_s > 0 && rollout.plan.deadline_s <= job->origin.time_s)
		return err_set(err, -EINVAL, "deadline: that is past");
	rollout.created_s = job->origin.time_s;
	rc = registry_rollout_create(r, &rollout, names, &job->origin, err);
	if (rc < 0)
		return rc;
	job->status = 201;
	job->finish = look;
	(void)snprintf(job->rollout, sizeof(job->rollout), "%s", rollout.name);
	return show_rollout(job, err);
}

static int wish(struct registry_job *job, enum rollout_wish wanted, struct err *err)
{
	int rc = registry_rollout_wish(job->conductor->registry, job->rollout, wanted, &job->origin,
				       err);

	job->finish = look;
	return rc < 0 ? rc : show_rollout(job, err);
}

static int pause_rollout(struct registry_job *job, struct err *err)
{
	return wish(job, ROLLOUT_PAUSE, err);
}

static int resume_rollout(struct registry_job *job, struct err *err)
{
	return wish(job, ROLLOUT_RESUME, err);
}

static int approve_rollout(struct registry_job *job, struct err *err)
{
	return wish(job, ROLLOUT_APPROVE, err);
}

static int cancel_rollout(struct registry_job *job, struct err *err)
{
	return wish(job, ROLLOUT_CANCEL, err);
}

void routes_get_rollouts(struct http_exchange *x)
{
	registry_job_start(x, list_rollouts);
}

void routes_get_rollout(struct http_exchange *x)
{
	registry_job_start(x, show_rollout);
}

void routes_post_rollout(struct http_exchange *x)
{
	registry_job_start(x, create_rollout);
}

void routes_pause_rollout(struct http_exchange *x)
{
	registry_job_start(x, pause_rollout);
}

void routes_resume_rollout(struct http_exchange *x)
{
	registry_job_start(x, resume_rollout);
}

void routes_approve_rollout(struct http_exchange *x)
{
	registry_job_start(x, approve_rollout);
}

void routes_cancel_rollout(struct http_exchange *x)
{
	registry_job_start(x, cancel_rollout);
}
