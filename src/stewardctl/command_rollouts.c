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
#include "stewardctl/sse.h"

#define RETURN_S 2 /* until the daemon is asked again, where its stream has ended */

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

/* A row whenever something has changed, until it is over. With the first bytes of the stream the
 * daemon has begun to tell events. Only then is the present state asked for, so that nothing in
 * between is missed. */
struct watched {
	struct client client;
	const char *name;
	const char *path; /* of the rollout */
	struct sse sse;
	cJSON *shown; /* NULL = nothing yet */
	bool has_begun;
	int rc; /* why it ends; EXIT_DONE: it is over, or the stream is */
};

/* Takes now. Returns whether there is more to come. */
static bool take_rollout(struct watched *w, cJSON *now)
{
	cJSON_DeleteItemFromObject(now, "routers"); /* no event has them */
	if (!w->shown || !cJSON_Compare(w->shown, now, true))
		show_row(now);
	(void)fflush(stdout);
	cJSON_Delete(w->shown);
	w->shown = now;
	return !is_over(now);
}

static bool take_event(void *owner, const char *event, const char *data)
{
	struct watched *w = owner;
	cJSON *now = strcmp(event, "rollout") == 0 ? harmless_parse(data) : NULL;

	if (now && strcmp(member_text(now, "name"), w->name) == 0)
		return take_rollout(w, now);
	cJSON_Delete(now);
	return true;
}

static bool ask_rollout(struct watched *w)
{
	struct client_reply reply;
	cJSON *now = NULL;

	w->rc = client_call(&w->client, "GET", w->path, NULL, &reply);
	if (w->rc == EXIT_DONE)
		now = harmless_parse(reply.body ? reply.body : "{}");
	client_reply_release(&reply);
	return now && take_rollout(w, now);
}

static bool take_bytes(void *owner, const char *bytes, size_t n)
{
	struct watched *w = owner;

	if (!w->has_begun) {
		w->has_begun = true;
		if (!ask_rollout(w))
			return false;
	}
	return sse_feed(&w->sse, bytes, n);
}

static void follow(struct watched *w)
{
	int rc;

	w->has_begun = false;
	sse_init(&w->sse, take_event, w);
	rc = client_stream(&w->client, "GET", "/v1/events", take_bytes, w);
	sse_release(&w->sse);
	if (!w->has_begun && rc != EXIT_DONE)
		w->rc = rc == EXIT_NO_DAEMON ? client_say_no_daemon(&w->client) : rc;
}

static int watch(const struct invocation *invocation, const char *path)
{
	struct watched w = {
		.client = command_client(invocation),
		.name = invocation_place(invocation, "NAME"),
		.path = path,
	};

	show_head();
	follow(&w);
	while (w.rc == EXIT_DONE && !is_over(w.shown)) {
		(void)sleep(RETURN_S);
		follow(&w);
	}
	cJSON_Delete(w.shown);
	return w.rc;
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
