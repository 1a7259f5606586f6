/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rollouts: made, looked at, and what an operator wants of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stewardctl/command_ask.h"
#include "stewardctl/commands.h"
#include "stewardctl/harmless.h"
#include "stewardctl/member.h"
#include "stewardctl/rollout_words.h"

#define WATCH_S 2

static double count_of(const cJSON *rollout, const char *state)
{
	return member_number(cJSON_GetObjectItem(rollout, "counts"), state);
}

static void show_head(void)
{
	(void)printf("%-24s %-20s %-10s %5s %8s %8s %8s %8s %8s %8s\n", "ROLLOUT", "VERSION",
		     "STATE", "PHASE", "MEMBERS", "WAITING", "AT WORK", "AWAY", "DONE", "FAILED");
}

static void show_row(const cJSON *rollout)
{
	char phase[16];

	(void)snprintf(phase, sizeof(phase), "%.0f/%d", member_number(rollout, "phase"),
		       cJSON_GetArraySize(cJSON_GetObjectItem(rollout, "phases")));
	(void)printf("%-24s %-20s %-10s %5s %8.0f %8.0f %8.0f %8.0f %8.0f %8.0f\n",
		     member_text(rollout, "name"), member_text(rollout, "version"),
		     member_text(rollout, "state"), phase, member_number(rollout, "members"),
		     count_of(rollout, "waiting"),
		     count_of(rollout, "ordered") + count_of(rollout, "downloading"),
		     count_of(rollout, "unreachable"), count_of(rollout, "done"),
		     count_of(rollout, "failed"));
}

static void show_rollouts(const cJSON *answer)
{
	const cJSON *rollout;

	show_head();
	cJSON_ArrayForEach (rollout, cJSON_GetObjectItem(answer, "rollouts"))
		show_row(rollout);
}

static void show_rollout(const cJSON *rollout)
{
	const cJSON *routers = cJSON_GetObjectItem(rollout, "routers");
	const cJSON *item;

	show_head();
	show_row(rollout);
	(void)printf("\nFor %s; %.0f skipped; at most %.0f at work, %s failures\n",
		     member_text(rollout, "selector"), count_of(rollout, "skipped"),
		     member_number(rollout, "parallel"), member_text(rollout, "failures"));
	if (cJSON_GetArraySize(routers) > 0)
		(void)printf("\n%-24s %-12s %s\n", "ROUTER", "STATE", "REASON");
	cJSON_ArrayForEach (item, routers)
		(void)printf("%-24s %-12s %s\n", member_text(item, "router"),
			     member_text(item, "state"), member_text(item, "reason"));
}

int command_show_rollouts(const struct invocation *invocation)
{
	return command_ask(invocation, "GET", "/v1/rollouts", NULL, show_rollouts);
}

static bool make_path(const struct invocation *invocation, const char *action,
		      char ret[COMMAND_PATH_SIZE])
{
	const char *name = invocation_place(invocation, "NAME");

	(void)snprintf(ret, COMMAND_PATH_SIZE, "/v1/rollouts/%s%s", name, action);
	return command_name_is_valid("rollout", name);
}

static bool is_over(const cJSON *rollout)
{
	return strcmp(member_text(rollout, "state"), "done") == 0 ||
	       (strcmp(member_text(rollout, "state"), "cancelled") == 0 &&
		count_of(rollout, "ordered") + count_of(rollout, "downloading") == 0);
}

/* A row whenever something has changed, until it is over. */
static int watch(const struct invocation *invocation, const char *path)
{
	struct client client = command_client(invocation);
	cJSON *before = NULL;
	bool over = false;
	int rc = EXIT_DONE;

	show_head();
	while (rc == EXIT_DONE && !over) {
		struct client_reply reply;
		cJSON *now;

		rc = client_call(&client, "GET", path, NULL, &reply);
		now = rc == EXIT_DONE ? harmless_parse(reply.body ? reply.body : "{}") : NULL;
		client_reply_release(&reply);
		if (now && !cJSON_Compare(before, now, true))
			show_row(now);
		(void)fflush(stdout);
		over = is_over(now);
		cJSON_Delete(before);
		before = now;
		if (rc == EXIT_DONE && !over)
			(void)sleep(WATCH_S);
	}
	cJSON_Delete(before);
	return rc;
}

int command_show_rollout(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!make_path(invocation, "", path))
		return EXIT_REFUSED;
	if (invocation_value(invocation, "watch"))
		return watch(invocation, path);
	return command_ask(invocation, "GET", path, NULL, show_rollout);
}

int command_create_rollout(const struct invocation *invocation)
{
	cJSON *json = cJSON_CreateObject();
	char message[256];
	char *body;
	int rc = EXIT_REFUSED;

	(void)cJSON_AddStringToObject(json, "name", invocation_place(invocation, "NAME"));
	if (rollout_words_read(json, invocation->n_rest, invocation->rest, time(NULL), message,
			       sizeof(message)) < 0) {
		(void)fprintf(stderr, "stewardctl: %s\n", message);
		cJSON_Delete(json);
		return EXIT_USAGE;
	}
	body = cJSON_PrintUnformatted(json);
	if (body)
		rc = command_ask(invocation, "POST", "/v1/rollouts", body, show_rollout);
	free(body);
	cJSON_Delete(json);
	return rc;
}

static int want(const struct invocation *invocation, const char *action)
{
	char path[COMMAND_PATH_SIZE];

	if (!make_path(invocation, action, path))
		return EXIT_REFUSED;
	return command_ask(invocation, "POST", path, "{}", NULL);
}

int command_pause_rollout(const struct invocation *invocation)
{
	return want(invocation, "/pause");
}

int command_resume_rollout(const struct invocation *invocation)
{
	return want(invocation, "/resume");
}

int command_approve_rollout(const struct invocation *invocation)
{
	return want(invocation, "/approve");
}

int command_cancel_rollout(const struct invocation *invocation)
{
	return want(invocation, "/cancel");
}
