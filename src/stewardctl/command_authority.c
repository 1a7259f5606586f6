/* SPDX-License-Identifier: GPL-3.0-or-later */
/* configure, delete and show authority: the routers of a conductor. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "config/config_edit.h"
#include "stewardctl/command_ask.h"
#include "stewardctl/commands.h"
#include "stewardctl/harmless.h"
#include "stewardctl/member.h"
#include "stewardctl/show.h"

#define EDIT_WORDS_MAX 32
#define SECRET_MAX     256
#define VALUE_MAX      4096

/* Makes the path of the router or of its node, from the two values in the command. */
static bool router_path(const struct invocation *invocation, const char *after,
			char ret[COMMAND_PATH_SIZE])
{
	const char *router = invocation_place(invocation, "R");

	(void)snprintf(ret, COMMAND_PATH_SIZE, "/v1/routers/%s%s", router, after);
	return command_name_is_valid("router", router);
}

static bool node_path(const struct invocation *invocation, char ret[COMMAND_PATH_SIZE])
{
	const char *router = invocation_place(invocation, "R");
	const char *node = invocation_place(invocation, "N");

	(void)snprintf(ret, COMMAND_PATH_SIZE, "/v1/routers/%s/nodes/%s", router, node);
	return command_name_is_valid("router", router) && command_name_is_valid("node", node);
}

/* Sends a PUT request with one member. */
static int put(const struct invocation *invocation, const char *path, const char *member,
	       const char *value)
{
	cJSON *json = cJSON_CreateObject();
	char *body;
	int rc = EXIT_REFUSED;

	(void)cJSON_AddStringToObject(json, member, value);
	body = cJSON_PrintUnformatted(json);
	if (body) {
		rc = command_ask(invocation, "PUT", path, body, NULL);
		explicit_bzero(body, strlen(body)); /* it may be a secret */
	}
	free(body);
	cJSON_Delete(json);
	return rc;
}

int command_configure_asset_id(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!node_path(invocation, path))
		return EXIT_REFUSED;
	return put(invocation, path, "asset-id", invocation_value(invocation, "asset-id"));
}

int command_configure_endorsement_key(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!node_path(invocation, path))
		return EXIT_REFUSED;
	return put(invocation, path, "endorsement-key",
		   invocation_value(invocation, "endorsement-key"));
}

int command_configure_mode(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!router_path(invocation, "", path))
		return EXIT_REFUSED;
	return put(invocation, path, "mode", invocation_value(invocation, "mode"));
}

/* An empty secret tells the conductor to make one. */
int command_make_secret(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!router_path(invocation, "", path))
		return EXIT_REFUSED;
	return put(invocation, path, "pre-shared-secret", "");
}

/* "-" means standard input, so that the secret is in no list of processes. */
int command_configure_secret(const struct invocation *invocation)
{
	const char *secret = invocation_place(invocation, "S");
	char line[SECRET_MAX] = "";
	char path[COMMAND_PATH_SIZE];
	int rc;

	if (!router_path(invocation, "", path))
		return EXIT_REFUSED;
	if (strcmp(secret, "-") == 0) {
		if (!fgets(line, sizeof(line), stdin))
			line[0] = '\0';
		line[strcspn(line, "\n")] =
			'\0'; /* a secret has 48 characters, so a longer line is none */
		secret = line;
	}
	if (!secret[0]) {
		(void)fputs("stewardctl: the pre-shared secret is empty\n", stderr);
		return EXIT_REFUSED;
	}
	rc = put(invocation, path, "pre-shared-secret", secret);
	explicit_bzero(line, sizeof(line));
	return rc;
}

/* The answer of GET .../configuration. */
static int read_configuration(const struct invocation *invocation, const char *path, char **ret,
			      int64_t *ret_revision)
{
	struct client client = command_client(invocation);
	struct client_reply reply;
	int rc = client_call(&client, "GET", path, NULL, &reply);
	cJSON *answer = rc == EXIT_DONE ? cJSON_Parse(reply.body) : NULL;

	if (rc == EXIT_DONE) {
		*ret = cJSON_PrintUnformatted(cJSON_GetObjectItem(answer, "configuration"));
		*ret_revision = (int64_t)member_number(answer, "revision");
		rc = *ret ? EXIT_DONE : EXIT_REFUSED;
	}
	cJSON_Delete(answer);
	client_reply_release(&reply);
	return rc;
}

/* A value that is "-" comes from standard input, so that it stands in no list of processes. line
 * keeps it; wiped by the caller. */
static bool take_from_input(enum config_change change, const char **word, char line[VALUE_MAX])
{
	if (change != CONFIG_SET || strcmp(*word, "-") != 0)
		return true;
	if (!fgets(line, VALUE_MAX, stdin) || !strchr(line, '\n')) {
		(void)fprintf(
			stderr,
			"stewardctl: standard input: expected a line of at most %d characters\n",
			VALUE_MAX - 2);
		return false;
	}
	line[strcspn(line, "\n")] = '\0';
	*word = line;
	return true;
}

/* The words from the container's name on. */
static int edit(const struct invocation *invocation, enum config_change change, const char *old,
		char **ret)
{
	const char *words[EDIT_WORDS_MAX];
	char line[VALUE_MAX] = "";
	size_t n = 0;
	struct err err;
	int rc;

	if (invocation->n_rest >= EDIT_WORDS_MAX) {
		(void)fprintf(stderr, "stewardctl: more than %d words\n", EDIT_WORDS_MAX);
		return EXIT_USAGE;
	}
	words[n++] = invocation->command->words[5];
	for (int i = 0; i < invocation->n_rest; i++)
		words[n++] = invocation->rest[i];
	if (!take_from_input(change, &words[n - 1], line))
		return EXIT_REFUSED;
	rc = config_edit_router(change, old, n, words, ret, &err);
	explicit_bzero(line, sizeof(line));
	if (rc == 0)
		return EXIT_DONE;
	harmless_complain(&err);
	return EXIT_REFUSED;
}

/* The configuration is written only if it is still the one that was read, so that a change in
 * between is not overwritten. */
static int change_router(const struct invocation *invocation, enum config_change change)
{
	char path[COMMAND_PATH_SIZE];
	char over[COMMAND_PATH_SIZE + 32];
	char *old = NULL;
	char *new = NULL;
	int64_t revision;
	int rc;

	if (!router_path(invocation, "/configuration", path))
		return EXIT_REFUSED;
	rc = read_configuration(invocation, path, &old, &revision);
	if (rc == EXIT_DONE)
		rc = edit(invocation, change, old, &new);
	if (rc == EXIT_DONE) {
		(void)snprintf(over, sizeof(over), "%s?revision=%lld", path, (long long)revision);
		rc = command_ask(invocation, "PUT", over, new, NULL);
	}
	free(old);
	if (new)
		explicit_bzero(new, strlen(new));
	free(new);
	return rc;
}

int command_configure_router(const struct invocation *invocation)
{
	return change_router(invocation, CONFIG_SET);
}

int command_deconfigure_router(const struct invocation *invocation)
{
	return change_router(invocation, CONFIG_DELETE);
}

int command_delete_router(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!router_path(invocation, "", path))
		return EXIT_REFUSED;
	return command_ask(invocation, "DELETE", path, NULL, NULL);
}

int command_delete_node(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!node_path(invocation, path))
		return EXIT_REFUSED;
	return command_ask(invocation, "DELETE", path, NULL, NULL);
}

int command_delete_conductor(const struct invocation *invocation)
{
	const char *conductor = invocation_place(invocation, "C");
	char path[COMMAND_PATH_SIZE];

	if (!command_name_is_valid("conductor", conductor))
		return EXIT_REFUSED;
	(void)snprintf(path, sizeof(path), "/v1/conductors/%s", conductor);
	return command_ask(invocation, "DELETE", path, NULL, NULL);
}

int command_show_conductors(const struct invocation *invocation)
{
	return command_ask(invocation, "GET", "/v1/conductors", NULL, show_conductors);
}
