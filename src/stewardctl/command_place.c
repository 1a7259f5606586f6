/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/command_place.h"

#include <stdio.h>
#include <string.h>

#include "stewardctl/harmless.h"
#include "stewardctl/member.h"

static int check_here(const cJSON *status, const char *router, const char *node)
{
	const char *name = member_text(status, "name");
	const char *own = member_text(status, "node");

	if ((!router || strcmp(router, name) == 0) && (!node || strcmp(node, own) == 0))
		return EXIT_DONE;
	(void)fprintf(stderr, "stewardctl: this is router %s, node %s\n", name, own);
	return EXIT_REFUSED;
}

static int go_through_conductor(struct command_place *place, const char *router, const char *node)
{
	if (!router) {
		(void)fputs("stewardctl: this is a conductor: name the node's 'router R', too\n",
			    stderr);
		return EXIT_USAGE;
	}
	if (!command_name_is_valid("router", router) || !command_name_is_valid("node", node))
		return EXIT_USAGE;
	place->is_through_conductor = true;
	(void)snprintf(place->downloads, sizeof(place->downloads), "/v1/routers/%s/downloads",
		       router);
	if (node)
		(void)snprintf(place->query, sizeof(place->query), "?node=%s", node);
	return EXIT_DONE;
}

int command_find_place(const struct invocation *invocation, struct command_place *ret)
{
	const char *router = invocation_value(invocation, "router");
	const char *node = invocation_value(invocation, "node");
	struct client client = command_client(invocation);
	struct client_reply reply;
	cJSON *status;
	int rc;

	*ret = (struct command_place){.downloads = "/v1/downloads"};
	if (!router && !node)
		return EXIT_DONE;
	rc = client_call(&client, "GET", "/v1/status", NULL, &reply);
	status = rc == EXIT_DONE ? harmless_parse(reply.body) : NULL;
	if (rc == EXIT_DONE)
		rc = member_text(status, "node")[0] ? check_here(status, router, node)
						    : go_through_conductor(ret, router, node);
	cJSON_Delete(status);
	client_reply_release(&reply);
	return rc;
}

static void note_refusal(struct command_place *place, const char *node)
{
	if (place->n_refused < COMMAND_NODES_MAX)
		(void)snprintf(place->refused[place->n_refused++], sizeof(place->refused[0]), "%s",
			       node);
}

/* Returns whether it did what was asked. */
static bool show_node(const cJSON *node, void (*show)(const cJSON *answer))
{
	const char *error = cJSON_GetStringValue(cJSON_GetObjectItem(node, "error"));

	if (error) {
		(void)fprintf(stderr, "stewardctl: node %s: %s\n", member_text(node, "node"),
			      error);
		return false;
	}
	if (show) {
		(void)printf("Node      %s\n", member_text(node, "node"));
		show(cJSON_GetObjectItem(node, "answer"));
	}
	return true;
}

int command_ask_place(const struct invocation *invocation, struct command_place *place,
		      const char *method, const char *version, const char *action, const char *body,
		      void (*show)(const cJSON *answer))
{
	struct client client = command_client(invocation);
	char path[COMMAND_PATH_SIZE] = "";
	struct client_reply reply;
	cJSON *answer;
	const cJSON *node;
	int rc;

	if (version && !command_version_path(version, "/", action, path))
		return EXIT_REFUSED;
	char whole[2 * COMMAND_PATH_SIZE];

	(void)snprintf(whole, sizeof(whole), "%s%s%s", place->downloads, path, place->query);
	if (!place->is_through_conductor)
		return command_ask(invocation, method, whole, body, show);
	rc = client_call(&client, method, whole, body, &reply);
	answer = rc == EXIT_DONE ? harmless_parse(reply.body) : NULL;
	if (answer && invocation->json)
		harmless_say_json(reply.body);
	place->n_refused = 0;
	place->n_asked = 0;
	cJSON_ArrayForEach (node, cJSON_GetObjectItem(answer, "nodes")) {
		place->n_asked++;
		if (show_node(node, invocation->json ? NULL : show))
			continue;
		note_refusal(place, member_text(node, "node"));
		rc = EXIT_REFUSED;
	}
	cJSON_Delete(answer);
	client_reply_release(&reply);
	return rc;
}
