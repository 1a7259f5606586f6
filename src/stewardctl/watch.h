/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watch.h - follows a download until it ends: on a terminal a bar in place, else a line per
 * change.
 *
 * If the daemon goes away, watch waits for it: it may be restarted.
 */
#pragma once

#include "stewardctl/client.h"

/* json: prints each answer and event unchanged, one a line. Returns EXIT_DONE when the download
 * is complete; EXIT_REFUSED, with the reason on stderr, when it failed or was cancelled or
 * paused; EXIT_NO_DAEMON when the daemon does not come back. */
int watch_download(const struct client *client, const char *version, bool json);
