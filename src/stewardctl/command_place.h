/* command_place.h - whose downloads a command is about: `router R` and `node N`.
 *
 * A router looks after itself, and refuses the name of another. A conductor asks the nodes of R,
 * or N alone, through their tunnels, and each answers for itself.
 */
#pragma once

#include "stewardctl/command_ask.h"

#define COMMAND_NODES_MAX 16 /* of a router */

struct command_place {
	bool is_through_conductor;
	char downloads[COMMAND_PATH_SIZE / 2]; /* where they are on the control socket */
	char query[COMMAND_PATH_SIZE / 2];     /* which node is meant, "" = all */
	/* Nodes that could not be asked, or refused, when all were asked last. */
	char refused[COMMAND_NODES_MAX][64];
	size_t n_refused;
	size_t n_asked;
};

/* Returns an exit status, and has said what was wrong. */
int command_find_place(const struct invocation *invocation, struct command_place *ret);

/* Ask for <downloads>[/<version><action>]; version may be NULL. What each node answers is shown
 * with show (NULL = nothing is) under its name, and one that could not be asked, or refuses, makes
 * the exit status EXIT_REFUSED. */
int command_ask_place(const struct invocation *invocation, struct command_place *place,
		      const char *method, const char *version, const char *action, const char *body,
		      void (*show)(const cJSON *answer));
