/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_host.h - `conductord --tunnels`: the helper in whose private network the tunnels end.
 *
 * conductord hands it the sockets of SSH clients, and it runs sshd on them. What the clients
 * forward, and the repository's listener, is only in this process's network namespace: no other
 * user of the machine reaches a router's port, or can take it. conductord gets connections and the
 * listener from here as descriptors (tunnel_channel).
 *
 * Descriptor 3 says who started it. A connected socket: conductord itself, for whose life it runs;
 * it makes its network, and becomes the user if it is root. A listening one: systemd, whose unit
 * has PrivateNetwork=yes and the user; then conductord may come and go. When conductord goes, all
 * sessions end: nobody would know of them.
 */
#pragma once

#include "base/err.h"

struct tunnel_host_options {
	const char *user;            /* of the SSH clients, and of this process */
	const char *directory;       /* its own: host key and configuration; made where missing */
	const char *authorized_keys; /* what conductord writes, absolute: authorized_keys.h */
	const char *sshd;            /* absolute */
	unsigned login_grace_s;
};

#define TUNNEL_HOST_USER          "steward-tunnel"
#define TUNNEL_HOST_DIRECTORY     "/var/lib/steward-tunnel"
#define TUNNEL_HOST_SSHD          "/usr/sbin/sshd"
#define TUNNEL_HOST_LOGIN_GRACE_S 10
#define TUNNEL_HOST_SOCKET        "/run/steward-tunnels.sock" /* systemd's */

#define TUNNEL_HOST_DEFAULTS                                                                       \
	.user = TUNNEL_HOST_USER, .directory = TUNNEL_HOST_DIRECTORY, .sshd = TUNNEL_HOST_SSHD,    \
	.login_grace_s = TUNNEL_HOST_LOGIN_GRACE_S

/* Returns 0 after SIGTERM, or when the conductord that started it is gone. Errors: what kept it
 * from starting. */
int tunnel_host_run(const struct tunnel_host_options *options, struct err *err);
