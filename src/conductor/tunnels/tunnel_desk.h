/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_desk.h - the helper's side of one conductord: does what its messages ask for, and tells it
 * how its sessions fare.
 *
 * Calling sequence: tunnel_desk_init -> tunnel_desk_open -> [gone] -> tunnel_desk_leave -> emptied
 * -> tunnel_desk_open ...
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "conductor/tunnels/tunnel_channel.h"
#include "conductor/tunnels/tunnel_session.h"

struct tunnel_desk {
	struct tunnel_channel channel;
	bool channel_open;
	bool serving; /* open, and not left */
	struct tunnel_sessions sessions;
	/* conductord is gone, or speaks otherwise: nothing is asked any more. */
	void (*gone)(struct tunnel_desk *d);
	/* After tunnel_desk_leave(): the last session is over, and so is the channel. */
	void (*emptied)(struct tunnel_desk *d);
};

/* sessions: their loop, sshd, config and user; borrowed. */
void tunnel_desk_init(struct tunnel_desk *d, const struct tunnel_sessions *sessions);

/* Takes fd, also when it fails, and says that it is ready. */
int tunnel_desk_open(struct tunnel_desk *d, int fd, const struct host_keys *host_keys);

/* All sessions end: nobody would know of them. emptied comes later, or not at all if it was. */
void tunnel_desk_leave(struct tunnel_desk *d);
