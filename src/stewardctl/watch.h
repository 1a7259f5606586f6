/* watch.h - follow a download until it ends: a bar in place on a terminal, a line per change
 * otherwise.
 *
 * A daemon that goes away is waited for: it may be restarted.
 */
#pragma once

#include "stewardctl/client.h"

/* json: each answer and event as it came, one a line. Returns EXIT_DONE when it is complete,
 * EXIT_REFUSED with the reason on stderr when it has failed or was cancelled or paused,
 * EXIT_NO_DAEMON when the daemon does not come back. */
int watch_download(const struct client *client, const char *version, bool json);
