/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_ask.h - what the commands have in common: ask the daemon, and show its answer.
 *
 * Functions that return an int return the program's exit status, and have printed what was wrong.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "stewardctl/client.h"
#include "stewardctl/grammar.h"

#define COMMAND_PATH_SIZE 256

struct client command_client(const struct invocation *invocation);

/* Makes <before><version><after>. A version that the daemon would refuse never gets into a URL:
 * returns whether it may. */
bool command_version_path(const char *version, const char *before, const char *after,
			  char ret[COMMAND_PATH_SIZE]);

/* Could this be the name of a router, a node or a token? Other text never gets into a URL; the
 * daemon decides about the rest. NULL is valid. */
bool command_name_is_valid(const char *what, const char *name);

/* Asks, and shows the answer: unchanged with --json, else with show (NULL = nothing). */
int command_ask(const struct invocation *invocation, const char *method, const char *path,
		const char *body, void (*show)(const cJSON *answer));

/* A list, which is asked for page by page and shown as it comes, so that the whole of it is never
 * in memory. member: its name in the answer. head is called once, row for each of the list. */
struct command_list {
	const char *member;
	void (*head)(void);
	void (*row)(const cJSON *item);
};
int command_ask_list(const struct invocation *invocation, const char *path,
		     const struct command_list *list);
