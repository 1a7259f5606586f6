/* watch_router.h - follow a download on the nodes of a router, by way of its conductor: a bar for
 * each node in place on a terminal, a line per change otherwise.
 *
 * A node that is not reached is told as such, and waited for as long as a daemon is that is gone;
 * it holds up nobody. So is the conductor's daemon.
 */
#pragma once

#include "stewardctl/command_place.h"

/* Nodes that refused the order (place->refused) are not waited for. json: each event as it came,
 * one a line. Returns EXIT_DONE when it is complete on each node, EXIT_REFUSED with the reasons on
 * stderr when it is not on one, EXIT_NO_DAEMON when the daemon does not come back. */
int watch_router(const struct client *client, const struct command_place *place,
		 const char *version, bool json);
