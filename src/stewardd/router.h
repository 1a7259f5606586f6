/* SPDX-License-Identifier: GPL-3.0-or-later */
/* router.h - what makes a node a stewardd: the router's side of onboarding, and the socket that
 * conductors reach through their tunnels.
 */
#pragma once

#include "node/node.h"
#include "onboarding/router/onboarding.h"

struct router {
	struct node node;
	struct config *config; /* as it was at the start: onboarding uses this one */
	struct onboarding *onboarding;
	struct http_server *link; /* conductor.sock */
	char *link_path;
	uint16_t ports[KNOWN_CONDUCTORS_MAX]; /* of the conductors' repositories, as configured */
	unsigned closing;
	void (*closed)(void *owner);
	void *closed_owner;
};

extern const struct node_program router_program;
