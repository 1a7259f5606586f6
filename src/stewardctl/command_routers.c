/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which routers there are, one of them, and the labels by which they are found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stewardctl/command_ask.h"
#include "stewardctl/commands.h"
#include "stewardctl/show.h"

#define LABELS_MAX 8 /* as the conductor takes */
#define QUERY_SIZE (32 + LABELS_MAX * 2 * 64)

static const struct command_list routers = {"routers", show_routers_head, show_routers_row};

int command_show_authority(const struct invocation *invocation)
{
	return command_ask_list(invocation, "/v1/routers", &routers);
}

static int show_one(const struct invocation *invocation, const char *router)
{
	char path[COMMAND_PATH_SIZE];
	int rc;

	if (!command_name_is_valid("router", router))
		return EXIT_REFUSED;
	(void)snprintf(path, sizeof(path), "/v1/routers/%s", router);
	rc = command_ask(invocation, "GET", path, NULL, show_router);
	if (rc != EXIT_DONE || invocation->json)
		return rc;
	(void)snprintf(path, sizeof(path), "/v1/routers/%s/configuration", router);
	return command_ask(invocation, "GET", path, NULL, show_router_configuration);
}

/* words: label NAME VALUE, once or more often. */
static int show_labelled(const struct invocation *invocation, int n, char *const *words)
{
	char path[QUERY_SIZE] = "/v1/routers?label=";
	size_t used = strlen(path);

	for (int i = 0; i < n; i += 3) {
		const char *name = words[i + 1];
		const char *value = words[i + 2];

		if (!command_name_is_valid("label", name) ||
		    !command_name_is_valid("label's value", value))
			return EXIT_REFUSED;
		used += (size_t)snprintf(path + used, sizeof(path) - used, "%s%s=%s", i ? "," : "",
					 name, value);
	}
	return command_ask_list(invocation, path, &routers);
}

static bool are_labels(int n, char *const *words)
{
	for (int i = 0; i < n; i += 3)
		if (strcmp(words[i], "label") != 0)
			return false;
	return n % 3 == 0 && n / 3 <= LABELS_MAX;
}

/* One word is a router's name, also where it is "label". */
int command_show_routers(const struct invocation *invocation)
{
	const int n = invocation->n_rest;
	char *const *words = invocation->rest;

	if (n == 1)
		return show_one(invocation, words[0]);
	if (are_labels(n, words))
		return show_labelled(invocation, n, words);
	(void)fprintf(stderr,
		      "stewardctl: expected the name of one router, or at most %d times: label "
		      "NAME VALUE\n",
		      LABELS_MAX);
	return EXIT_USAGE;
}

/* .../labels/NAME of the router in the command. */
static bool label_path(const struct invocation *invocation, char ret[COMMAND_PATH_SIZE])
{
	const char *router = invocation_place(invocation, "R");
	const char *name = invocation_place(invocation, "NAME");

	(void)snprintf(ret, COMMAND_PATH_SIZE, "/v1/routers/%s/labels/%s", router, name);
	return command_name_is_valid("router", router) && command_name_is_valid("label", name);
}

int command_configure_label(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];
	cJSON *json = cJSON_CreateObject();
	char *body;
	int rc = EXIT_REFUSED;

	(void)cJSON_AddStringToObject(json, "value", invocation_place(invocation, "VALUE"));
	body = cJSON_PrintUnformatted(json);
	if (body && label_path(invocation, path))
		rc = command_ask(invocation, "PUT", path, body, NULL);
	free(body);
	cJSON_Delete(json);
	return rc;
}

int command_delete_label(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!label_path(invocation, path))
		return EXIT_REFUSED;
	return command_ask(invocation, "DELETE", path, NULL, NULL);
}
