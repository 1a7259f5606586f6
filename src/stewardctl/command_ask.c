/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/command_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "download/image/manifest.h"
#include "stewardctl/harmless.h"

#define LIST_PAGE 500u

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

static void show_json(const cJSON *item, bool is_first)
{
	char *text = cJSON_PrintUnformatted(item);

	if (!is_first)
		(void)putchar(',');
	harmless_write_json(text ? text : "null");
	free(text);
}

/* Texts are made harmless for a table alone: in JSON they stay what they are, escaped. */
static size_t show_page(const struct invocation *invocation, const struct command_list *list,
			const char *body, size_t n)
{
	cJSON *answer = invocation->json ? cJSON_Parse(body) : harmless_parse(body);
	const cJSON *item;

	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, list->member)) {
		if (invocation->json)
			show_json(item, n == 0);
		else
			list->row(item);
		n++;
	}
	cJSON_Delete(answer);
	return n;
}

static void begin_list(const struct invocation *invocation, const struct command_list *list)
{
	if (invocation->json)
		(void)printf("{\"%s\":[", list->member);
	else
		list->head();
}

/* One answer with all of it is shown unchanged, as those to other commands are. */
static bool shows_whole(const struct invocation *invocation, const struct client_reply *reply)
{
	if (!invocation->json || reply->next[0] || !reply->body)
		return false;
	harmless_say_json(reply->body);
	return true;
}

int command_ask_list(const struct invocation *invocation, const char *path,
		     const struct command_list *list)
{
	struct client client = command_client(invocation);
	char next[CLIENT_NEXT_SIZE];
	bool is_whole = false;
	size_t n = 0;
	int rc = EXIT_DONE;

	(void)snprintf(next, sizeof(next), "%s%climit=%u", path, strchr(path, '?') ? '&' : '?',
		       LIST_PAGE);
	for (bool is_first = true; rc == EXIT_DONE && next[0]; is_first = false) {
		struct client_reply reply;

		rc = client_call(&client, "GET", next, NULL, &reply);
		is_whole = rc == EXIT_DONE && is_first && shows_whole(invocation, &reply);
		if (rc == EXIT_DONE && is_first && !is_whole)
			begin_list(invocation, list);
		if (rc == EXIT_DONE && !is_whole)
			n = show_page(invocation, list, reply.body ? reply.body : "{}", n);
		(void)snprintf(next, sizeof(next), "%s", reply.next);
		client_reply_release(&reply);
	}
	if (rc == EXIT_DONE && invocation->json && !is_whole)
		(void)puts("]}");
	return rc;
}
