/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watch_router.h - follows a download on the nodes of a router, through its conductor: on a
 * terminal a bar in place for each node, else a line per change.
 *
 * A node that cannot be reached is shown as such. watch waits for it for 30 seconds, without
 * delaying the other nodes; likewise for the conductor's daemon.
 */
#pragma once

#include "stewardctl/command_place.h"

/* Nodes that refused the command (place->refused) are not waited for. json: prints each event
 * unchanged, one a line. Returns EXIT_DONE when the download is complete on each node;
 * EXIT_REFUSED, with the reasons on stderr, when it is not on one of them; EXIT_NO_DAEMON when
 * the daemon does not come back. */
int watch_router(const struct client *client, const struct command_place *place,
		 const char *version, bool json);
