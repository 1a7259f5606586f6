/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/rollout_visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"

#define PATH_SIZE 256

/* The state that must be told of a router whose nodes differ: the first of these. */
static unsigned rank_of(enum rollout_told told)
{
	static const unsigned ranks[] = {
		[ROLLOUT_TOLD_REFUSED] = 0, [ROLLOUT_TOLD_FAILED] = 1,  [ROLLOUT_TOLD_LOST] = 2,
		[ROLLOUT_TOLD_NOTHING] = 3, [ROLLOUT_TOLD_GOES_ON] = 4, [ROLLOUT_TOLD_PAUSED] = 5,
		[ROLLOUT_TOLD_DONE] = 6,    [ROLLOUT_TOLD_BACK] = 7,    [ROLLOUT_TOLD_GONE] = 8,
	};

	return ranks[told];
}

enum rollout_told rollout_visit_join(enum rollout_told a, enum rollout_told b)
{
	return rank_of(a) <= rank_of(b) ? a : b;
}

static void end_visit(struct rollout_visit *visit)
{
	struct rollout_answer answer = {.member = visit->member, .told = ROLLOUT_TOLD_DONE};

	for (size_t i = 0; i < visit->nodes.n; i++) {
		const struct rollout_visit_node *node = &visit->each[i];

		if (!visit->nodes.each[i].enrolled)
			continue;
		answer.told = rollout_visit_join(answer.told, node->told);
		if (node->reason[0] && !answer.reason[0])
			(void)snprintf(answer.reason, sizeof(answer.reason), "%.32s: %.200s",
				       visit->nodes.each[i].name, node->reason);
	}
	visit->done(visit, &answer);
}

static void settle(struct rollout_visit_node *node, enum rollout_told told, const char *reason)
{
	struct rollout_visit *visit = node->visit;

	node->told = told;
	(void)snprintf(node->reason, sizeof(node->reason), "%s", reason ? reason : "");
	if (--visit->awaited == 0)
		end_visit(visit);
}

/* What stands there after an order came is of this order. */
static void settle_failed(struct rollout_visit_node *node, const char *reason)
{
	bool came = node->visit->errand == ROLLOUT_ERRAND_ORDER;

	settle(node, came ? ROLLOUT_TOLD_REFUSED : ROLLOUT_TOLD_FAILED, reason);
}

static void on_answered(void *owner, const struct router_answer *answer);

static void call(struct rollout_visit_node *node, const char *method, const char *path,
		 const char *body)
{
	struct rollout_visit *visit = node->visit;
	const struct router_ask ask = {
		.listen_port = visit->nodes.each[node - visit->each].listen_port,
		.method = method,
		.path = path,
		.body = body,
		.timeout_ms = ROUTER_CALL_CHANGE_MS,
	};

	if (router_call_start(visit->calls, &ask, on_answered, node) < 0)
		settle(node, ROLLOUT_TOLD_LOST, NULL);
}

static const char *detail_of(const cJSON *said)
{
	const char *detail = cJSON_GetStringValue(cJSON_GetObjectItem(said, "detail"));

	return detail ? detail : "it does not say why";
}

static void read_download(struct rollout_visit_node *node, const cJSON *said)
{
	const char *state = cJSON_GetStringValue(cJSON_GetObjectItem(said, "state"));
	const char *error = cJSON_GetStringValue(cJSON_GetObjectItem(said, "error"));

	if (!state)
		settle(node, ROLLOUT_TOLD_LOST, NULL);
	else if (strcmp(state, "complete") == 0)
		settle(node, ROLLOUT_TOLD_DONE, NULL);
	else if (strcmp(state, "failed") == 0)
		settle_failed(node, error ? error : "its download failed");
	else if (strcmp(state, "cancelled") == 0)
		settle_failed(node, "its download was cancelled");
	else if (strcmp(state, "paused") == 0)
		settle(node, ROLLOUT_TOLD_PAUSED, NULL);
	else
		settle(node, ROLLOUT_TOLD_GOES_ON, NULL);
}

/* An image that was imported has no download. */
static void read_images(struct rollout_visit_node *node, const cJSON *said)
{
	const cJSON *image;

	cJSON_ArrayForEach (image, cJSON_GetObjectItem(said, "images")) {
		const char *version = cJSON_GetStringValue(cJSON_GetObjectItem(image, "version"));

		if (version && strcmp(version, node->visit->version) == 0) {
			settle(node, ROLLOUT_TOLD_DONE, NULL);
			return;
		}
	}
	settle(node, ROLLOUT_TOLD_NOTHING, NULL);
}

static void ask_download(struct rollout_visit_node *node)
{
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof(path), "/v1/downloads/%s", node->visit->version);
	node->asks = true;
	call(node, "GET", path, NULL);
}

/* 409 is no failure: the node has the image, or its download is not as it was: it is asked. */
static void read_refusal(struct rollout_visit_node *node, int status, const cJSON *said)
{
	if (!node->asks && (status == 409 || status == 404))
		ask_download(node);
	else if (status == 404) {
		node->asks_images = true;
		call(node, "GET", "/v1/images", NULL);
	} else if (status == 400 || status == 507)
		settle_failed(node, detail_of(said));
	else
		settle(node, ROLLOUT_TOLD_LOST, NULL);
}

static void on_answered(void *owner, const struct router_answer *answer)
{
	struct rollout_visit_node *node = owner;
	_cleanup_(json_freep) cJSON *said = NULL;
	struct err err;

	if (answer->status > 0 && answer->body.size > 0 &&
	    json_parse(&said, answer->body, ROUTER_ANSWER_MAX, &err) < 0)
		said = NULL;
	if (answer->status == 0)
		settle(node, ROLLOUT_TOLD_LOST, NULL);
	else if (answer->status >= 300)
		read_refusal(node, answer->status, said);
	else if (node->asks_images)
		read_images(node, said);
	else
		read_download(node, said);
}

static void run_errand(struct rollout_visit_node *node)
{
	const struct rollout_visit *visit = node->visit;
	const char *action = visit->errand == ROLLOUT_ERRAND_HOLD ? "pause" : "resume";
	char path[PATH_SIZE];
	char body[PATH_SIZE];

	switch (visit->errand) {
	case ROLLOUT_ERRAND_ASK:
		ask_download(node);
		return;
	case ROLLOUT_ERRAND_ORDER:
		(void)snprintf(body, sizeof(body), "{\"version\":\"%s\",\"sequenced\":%s}",
			       visit->version, visit->sequenced ? "true" : "false");
		call(node, "POST", "/v1/downloads", body);
		return;
	case ROLLOUT_ERRAND_HOLD:
	case ROLLOUT_ERRAND_GO_ON:
		(void)snprintf(path, sizeof(path), "/v1/downloads/%s/%s", visit->version, action);
		call(node, "POST", path, NULL);
		return;
	}
}

void rollout_visit_start(struct rollout_visit *visit, struct router_calls *calls)
{
	visit->calls = calls;
	visit->awaited = 1; /* this function's */
	for (size_t i = 0; i < visit->nodes.n; i++) {
		struct rollout_visit_node *node = &visit->each[i];

		if (!visit->nodes.each[i].enrolled)
			continue;
		*node = (struct rollout_visit_node){.visit = visit};
		visit->awaited++;
		run_errand(node);
	}
	if (--visit->awaited == 0)
		end_visit(visit);
}
