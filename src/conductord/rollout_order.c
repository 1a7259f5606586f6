/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/rollout_order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"
#include "base/zone.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/rollout/rollout_draw.h"
#include "download/image/manifest.h"

#define PARALLEL_MAX 10000
#define SOAK_M_MAX   UINT64_C(43200)      /* thirty days */
#define DEADLINE_MAX UINT64_C(4102444800) /* the year 2100 */
#define NUMBER_MAX   UINT64_C(1000000000)

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int read_text(const cJSON *body, const char *name, char *ret, size_t size, struct err *err)
{
	const char *text;
	int rc = json_get_string(body, name, size - 1, &text, err);

	if (rc < 0)
		return rc;
	(void)snprintf(ret, size, "%s", text);
	return 0;
}

static bool has(const cJSON *body, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(body, name);
}

/* What is not there keeps its default, which is in *ret. */
static int read_number(const cJSON *body, const char *name, uint64_t min, uint64_t max,
		       uint64_t *ret, struct err *err)
{
	uint64_t number;
	int rc;

	if (!has(body, name))
		return 0;
	rc = json_get_uint(body, name, max, &number, err);
	if (rc < 0)
		return rc;
	if (number < min)
		return err_set(err, -EINVAL, "%s: expected at least %llu", name,
			       (unsigned long long)min);
	*ret = number;
	return 0;
}

/* "2%" or "3". */
static int read_failures(const cJSON *body, struct rollout_plan *plan, struct err *err)
{
	const char *text = "2%";
	char *end;
	unsigned long number;
	int rc = 0;

	if (has(body, "failures"))
		rc = json_get_string(body, "failures", 16, &text, err);
	if (rc < 0)
		return rc;
	errno = 0;
	number = strtoul(text, &end, 10);
	plan->failures_are_percent = strcmp(end, "%") == 0;
	if (text[0] < '0' || text[0] > '9' || errno || number > NUMBER_MAX ||
	    (*end && !plan->failures_are_percent) || (*end && number > 100))
		return err_set(err, -EINVAL,
			       "failures: expected a number, or 0%% to 100%%, found '%s'", text);
	plan->failures = (uint32_t)number;
	return 0;
}

static int read_hours(const cJSON *item, struct hours *ret, struct err *err)
{
	static const char *const members[] = {"days", "from", "to", NULL};
	const char *days;
	const char *from;
	const char *to;
	int rc = json_refuse_others(item, members, err);

	if (rc < 0)
		return rc;
	rc = json_get_string(item, "days", 64, &days, err);
	if (rc < 0)
		return rc;
	rc = json_get_string(item, "from", 8, &from, err);
	if (rc < 0)
		return rc;
	rc = json_get_string(item, "to", 8, &to, err);
	if (rc < 0)
		return rc;
	if (hours_parse_days(days, &ret->days) < 0)
		return err_set(err, -EINVAL, "window: expected days such as mon-fri, found '%s'",
			       days);
	if (hours_parse_time(from, &ret->from_m) < 0 || hours_parse_time(to, &ret->to_m) < 0)
		return err_set(err, -EINVAL,
			       "window: expected times such as 22:00 and 05:00, found '%s' and "
			       "'%s'",
			       from, to);
	return 0;
}

static int read_window(const cJSON *body, struct registry_rollout *ret, struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "window");
	struct rollout_plan *plan = &ret->plan;
	struct zone *zone = NULL;
	int rc = 0;

	if (item && !cJSON_IsArray(item))
		return err_set(err, -EINVAL, "window: expected an array");
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(body, "window")) {
		if (plan->n_window == ROLLOUT_WINDOW_MAX)
			return err_set(err, -EINVAL, "window: more than %d entries",
				       ROLLOUT_WINDOW_MAX);
		rc = read_hours(item, &plan->window[plan->n_window++], err);
		if (rc < 0)
			return rc;
	}
	if (has(body, "zone"))
		rc = read_text(body, "zone", ret->zone, sizeof(ret->zone), err);
	if (rc == 0 && ret->zone[0])
		rc = zone_load(&zone, ret->zone, err);
	zone_free(zone);
	return rc == -ENOENT || rc == -EBADMSG ? err_wrap(err, "zone") : rc;
}

static int read_flags(const cJSON *body, struct rollout_plan *plan, struct err *err)
{
	int rc = json_get_optional_bool(body, "approve", &plan->approve, err);

	if (rc == 0)
		rc = json_get_optional_bool(body, "finish", &plan->finish, err);
	if (rc == 0)
		rc = json_get_optional_bool(body, "sequenced", &plan->sequenced, err);
	return rc;
}

static int read_names(const cJSON *body, struct registry_rollout *ret, char *ret_spread,
		      struct err *err)
{
	int rc = read_text(body, "name", ret->name, sizeof(ret->name), err);

	if (rc == 0)
		rc = registry_check_name("rollout", ret->name, err);
	if (rc == 0)
		rc = read_text(body, "version", ret->version, sizeof(ret->version), err);
	if (rc == 0 && !manifest_name_is_valid(ret->version))
		rc = err_set(err, -EINVAL, "version: '%s' is not the name of a version",
			     ret->version);
	if (rc == 0 && has(body, "spread"))
		rc = read_text(body, "spread", ret_spread, TOKEN_NAME_SIZE, err);
	if (rc == 0 && ret_spread[0])
		rc = registry_check_name("label", ret_spread, err);
	return rc;
}

int rollout_order_read(const cJSON *body, struct registry_rollout *ret,
		       char ret_spread[TOKEN_NAME_SIZE], struct err *err)
{
	static const char *const members[] = {"name",      "version",  "selector", "phases",
					      "spread",    "parallel", "failures", "soak",
					      "approve",   "window",   "zone",     "finish",
					      "sequenced", "deadline", NULL};
	uint64_t parallel = 200;
	uint64_t soak_m = 0;
	uint64_t deadline = 0;
	int rc = json_refuse_others(body, members, err);

	memset(ret, 0, sizeof(*ret));
	ret_spread[0] = '\0';
	if (rc == 0)
		rc = read_names(body, ret, ret_spread, err);
	if (rc == 0)
		rc = read_number(body, "parallel", 1, PARALLEL_MAX, &parallel, err);
	if (rc == 0)
		rc = read_failures(body, &ret->plan, err);
	if (rc == 0)
		rc = read_number(body, "soak", 0, SOAK_M_MAX, &soak_m, err);
	if (rc == 0)
		rc = read_number(body, "deadline", 1, DEADLINE_MAX, &deadline, err);
	if (rc == 0)
		rc = read_flags(body, &ret->plan, err);
	if (rc == 0)
		rc = read_window(body, ret, err);
	ret->plan.parallel = (uint32_t)parallel;
	ret->plan.soak_s = (int64_t)soak_m * 60;
	ret->plan.deadline_s = (int64_t)deadline;
	return rc;
}

int rollout_order_finish(const cJSON *body, struct registry_rollout *ret, struct err *err)
{
	static const char *const defaults[] = {"1", "5%", "25%", "100%"};
	const cJSON *phases = cJSON_GetObjectItemCaseSensitive(body, "phases");
	const char *texts[ROLLOUT_PHASES_MAX];
	const cJSON *item;
	size_t n = 0;

	if (!phases)
		return rollout_phases(&ret->plan, defaults, N_ELEMENTS(defaults), err);
	if (!cJSON_IsArray(phases))
		return err_set(err, -EINVAL, "phases: expected an array");
	cJSON_ArrayForEach (item, phases) {
		if (!cJSON_IsString(item) || n == N_ELEMENTS(texts))
			return err_set(err, -EINVAL, "phases: expected at most %d texts",
				       ROLLOUT_PHASES_MAX - 1);
		texts[n++] = item->valuestring;
	}
	return rollout_phases(&ret->plan, texts, n, err);
}

/* "mon,tue,wed" */
static void add_days(cJSON *json, uint8_t days)
{
	char text[64] = "";
	size_t used = 0;

	for (size_t i = 0; i < N_ELEMENTS(day_names); i++)
		if (days & (1u << i))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
						 used ? "," : "", day_names[i]);
	(void)cJSON_AddStringToObject(json, "days", text);
}

static void add_time(cJSON *json, const char *name, uint16_t minutes)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%02u:%02u", minutes / 60u, minutes % 60u);
	(void)cJSON_AddStringToObject(json, name, text);
}

static void add_window(cJSON *json, const struct rollout_plan *plan)
{
	cJSON *array = cJSON_AddArrayToObject(json, "window");

	for (size_t i = 0; i < plan->n_window; i++) {
		cJSON *item = cJSON_CreateObject();

		add_days(item, plan->window[i].days);
		add_time(item, "from", plan->window[i].from_m);
		add_time(item, "to", plan->window[i].to_m);
		(void)cJSON_AddItemToArray(array, item);
	}
}

static void add_plan(cJSON *json, const struct rollout_plan *plan)
{
	cJSON *phases = cJSON_AddArrayToObject(json, "phases");
	char failures[16];

	for (unsigned i = 0; i < plan->n_phases; i++)
		(void)cJSON_AddItemToArray(phases, cJSON_CreateNumber(plan->phase_ends[i]));
	(void)snprintf(failures, sizeof(failures), "%u%s", plan->failures,
		       plan->failures_are_percent ? "%" : "");
	(void)cJSON_AddNumberToObject(json, "parallel", plan->parallel);
	(void)cJSON_AddStringToObject(json, "failures", failures);
	(void)cJSON_AddNumberToObject(json, "soak", (double)(plan->soak_s / 60));
	(void)cJSON_AddBoolToObject(json, "approve", plan->approve);
	(void)cJSON_AddBoolToObject(json, "finish", plan->finish);
	(void)cJSON_AddBoolToObject(json, "sequenced", plan->sequenced);
	add_window(json, plan);
	if (plan->deadline_s > 0)
		(void)cJSON_AddNumberToObject(json, "deadline", (double)plan->deadline_s);
	else
		(void)cJSON_AddNullToObject(json, "deadline");
}

cJSON *rollout_order_show(const struct registry_rollout *rollout)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *counts;

	(void)cJSON_AddStringToObject(json, "name", rollout->name);
	(void)cJSON_AddStringToObject(json, "version", rollout->version);
	(void)cJSON_AddStringToObject(json, "selector", rollout->selector);
	(void)cJSON_AddStringToObject(json, "state", rollout_state_name(&rollout->head));
	(void)cJSON_AddNumberToObject(json, "created", (double)rollout->created_s);
	(void)cJSON_AddNumberToObject(json, "phase", rollout->head.phase + 1);
	(void)cJSON_AddNumberToObject(json, "members", rollout->plan.n);
	counts = cJSON_AddObjectToObject(json, "counts");
	for (unsigned i = 0; i < N_ROLLOUT_MEMBER_STATES; i++)
		(void)cJSON_AddNumberToObject(
			counts, rollout_member_state_name((enum rollout_member_state)i),
			rollout->counts[i]);
	add_plan(json, &rollout->plan);
	(void)cJSON_AddStringToObject(json, "zone", rollout->zone);
	(void)cJSON_AddStringToObject(json, "conductor", rollout->holder);
	return json;
}
