/* command_ask.h - what the commands have in common: to ask the daemon, and to show its answer.
 *
 * Those that return an int return the program's exit status, and have said what was wrong.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "stewardctl/client.h"
#include "stewardctl/grammar.h"

#define COMMAND_PATH_SIZE 256

struct client command_client(const struct invocation *invocation);

/* <before><version><after>. A version that the daemon would refuse anyway never gets into a URL.
 * Returns whether it may. */
bool command_version_path(const char *version, const char *before, const char *after,
			  char ret[COMMAND_PATH_SIZE]);

/* Could this be the name of a router, a node or a token? What is not never gets into a URL; the
 * rest the daemon judges. NULL can. */
bool command_name_is_valid(const char *what, const char *name);

/* Ask, and show the answer: as it came with --json, else with show (NULL = say nothing). */
int command_ask(const struct invocation *invocation, const char *method, const char *path,
		const char *body, void (*show)(const cJSON *answer));
