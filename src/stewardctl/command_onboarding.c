/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secure Conductor Onboarding: tokens and enrolments on a conductor, its own story on a router. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/span.h"
#include "stewardctl/command_ask.h"
#include "stewardctl/commands.h"
#include "stewardctl/harmless.h"
#include "stewardctl/member.h"
#include "stewardctl/show.h"

#define ONBOARDING_FILE_MAX (64u << 10)

static void say_token(const cJSON *answer)
{
	(void)puts(member_text(answer, "token"));
}

int command_create_token(const struct invocation *invocation)
{
	const char *router = invocation_value(invocation, "router");
	const char *timeout = invocation_value(invocation, "expiration-timeout");
	char path[COMMAND_PATH_SIZE];
	cJSON *request;
	char *body;
	int rc = EXIT_REFUSED;

	if (!command_name_is_valid("router", router))
		return EXIT_REFUSED;
	request = cJSON_CreateObject();
	if (timeout)
		(void)cJSON_AddStringToObject(request, "expiration-timeout", timeout);
	body = cJSON_PrintUnformatted(request);
	(void)snprintf(path, sizeof(path), "/v1/routers/%s/tokens", router);
	if (body)
		rc = command_ask(invocation, "POST", path, body, say_token);
	free(body);
	cJSON_Delete(request);
	return rc;
}

/* Of all routers, or of that of the command. */
static bool make_path(const struct invocation *invocation, const char *path,
		      char ret[COMMAND_PATH_SIZE])
{
	const char *router = invocation_value(invocation, "router");

	(void)snprintf(ret, COMMAND_PATH_SIZE, "%s%s%s", path, router ? "?router=" : "",
		       router ? router : "");
	return command_name_is_valid("router", router);
}

/* Both daemons answer, each with what it knows of itself. */
int command_show_onboarding(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!make_path(invocation, "/v1/onboarding", path))
		return EXIT_REFUSED;
	return command_ask(invocation, "GET", path, NULL, show_onboarding);
}

int command_show_tokens(const struct invocation *invocation)
{
	static const struct command_list tokens = {"tokens", show_tokens_head, show_tokens_row};
	char path[COMMAND_PATH_SIZE];

	if (!make_path(invocation, "/v1/tokens", path))
		return EXIT_REFUSED;
	return command_ask_list(invocation, path, &tokens);
}

int command_show_enrolments(const struct invocation *invocation)
{
	static const struct command_list enrolments = {"enrolments", show_enrolments_head,
						       show_enrolments_row};
	char path[COMMAND_PATH_SIZE];

	if (!make_path(invocation, "/v1/enrolments", path))
		return EXIT_REFUSED;
	return command_ask_list(invocation, path, &enrolments);
}

int command_revoke_token(const struct invocation *invocation)
{
	const char *jti = invocation_value(invocation, "token");
	char path[COMMAND_PATH_SIZE];

	if (!command_name_is_valid("token", jti))
		return EXIT_REFUSED;
	(void)snprintf(path, sizeof(path), "/v1/tokens/%s", jti);
	return command_ask(invocation, "DELETE", path, NULL, NULL);
}

int command_reset_node(const struct invocation *invocation)
{
	const char *router = invocation_value(invocation, "router");
	const char *node = invocation_value(invocation, "node");
	char path[COMMAND_PATH_SIZE];

	if (!command_name_is_valid("router", router) || !command_name_is_valid("node", node))
		return EXIT_REFUSED;
	(void)snprintf(path, sizeof(path), "/v1/routers/%s/nodes/%s/reset", router, node);
	return command_ask(invocation, "POST", path, "", NULL);
}

int command_reset_clock(const struct invocation *invocation)
{
	return command_ask(invocation, "POST", "/v1/clock/reset", "", NULL);
}

int command_onboard(const struct invocation *invocation)
{
	char *text = NULL;
	size_t size;
	struct err err;
	int rc;

	if (file_read(invocation_value(invocation, "file"), ONBOARDING_FILE_MAX, &text, &size,
		      &err) < 0) {
		harmless_complain(&err);
		return EXIT_REFUSED;
	}
	rc = command_ask(invocation, "POST", "/v1/onboarding", text, show_onboarding);
	/* The text contains a token, so it is wiped. */
	explicit_bzero(text, size);
	free(text);
	return rc;
}
