/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_place.h - whose downloads a command is about: `router R` and `node N`.
 *
 * A router only has its own downloads, and refuses the name of another. A conductor asks the
 * nodes of R, or only N, through their tunnels; each answers for itself.
 */
#pragma once

#include "stewardctl/command_ask.h"

#define COMMAND_NODES_MAX 16 /* of a router */

struct command_place {
	bool is_through_conductor;
	char downloads[COMMAND_PATH_SIZE / 2]; /* their path on the control socket */
	char query[COMMAND_PATH_SIZE / 2];     /* which node is meant, "" = all */
	/* The nodes that could not be asked, or refused, when all were asked last. */
	char refused[COMMAND_NODES_MAX][64];
	size_t n_refused;
	size_t n_asked;
};

/* Returns an exit status, and has said what was wrong. */
int command_find_place(const struct invocation *invocation, struct command_place *ret);

/* Asks for <downloads>[/<version><action>]; version may be NULL. The answer of each node is shown
 * under its name with show (NULL = not shown). If a node could not be asked, or refuses, the exit
 * status is EXIT_REFUSED. */
int command_ask_place(const struct invocation *invocation, struct command_place *place,
		      const char *method, const char *version, const char *action, const char *body,
		      void (*show)(const cJSON *answer));
