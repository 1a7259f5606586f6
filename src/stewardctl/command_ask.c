/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/command_ask.h"

#include <stdio.h>
#include <string.h>

#include "download/image/manifest.h"
#include "stewardctl/harmless.h"

struct client command_client(const struct invocation *invocation)
{
	struct client client;

	client_init(&client, invocation->socket);
	return client;
}

bool command_version_path(const char *version, const char *before, const char *after,
			  char ret[COMMAND_PATH_SIZE])
{
	if (!manifest_name_is_valid(version)) {
		(void)fprintf(stderr, "stewardctl: '%s' is not the name of a version\n", version);
		return false;
	}
	(void)snprintf(ret, COMMAND_PATH_SIZE, "%s%s%s", before, version, after);
	return true;
}

bool command_name_is_valid(const char *what, const char *name)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789._-";

	if (!name || (name[0] && strlen(name) < 64 && !name[strspn(name, alphabet)]))
		return true;
	(void)fprintf(stderr, "stewardctl: '%s' is not the name of a %s\n", name, what);
	return false;
}

int command_ask(const struct invocation *invocation, const char *method, const char *path,
		const char *body, void (*show)(const cJSON *answer))
{
	struct client client = command_client(invocation);
	struct client_reply reply;
	int rc = client_call(&client, method, path, body, &reply);

	if (rc == EXIT_DONE && invocation->json && reply.body) {
		harmless_say_json(reply.body);
	} else if (rc == EXIT_DONE && show) {
		cJSON *answer = harmless_parse(reply.body ? reply.body : "{}");

		show(answer);
		cJSON_Delete(answer);
	}
	client_reply_release(&reply);
	return rc;
}
