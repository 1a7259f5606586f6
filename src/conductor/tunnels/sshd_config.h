/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sshd_config.h - the configuration of the sshd on the open port: one user, public keys, and
 * nothing but forwardings (docs/onboarding.md, "Port 930 afterwards").
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* What finds the line of a key: of every Debian, and root's, as sshd demands. -a: whatever the
 * locale says of the bytes in the file. After it come the key, base64, and the file. */
#define SSHD_CONFIG_LOOK_UP_PROGRAM "/usr/bin/grep"
#define SSHD_CONFIG_LOOK_UP         SSHD_CONFIG_LOOK_UP_PROGRAM " -a -F -m 1 -e"

struct sshd_config {
	const char *user;     /* the only one, and whom sshd runs as */
	const char *host_key; /* paths, absolute */
	const char *authorized_keys;
	bool reads_keys_itself; /* the file as a whole, for want of the command */
	const char *kex;        /* ssh_kex_algorithms() */
	unsigned login_grace_s;
};

/* Write it atomically. Errors: -EINVAL (a name or path that sshd would read otherwise). */
int sshd_config_write(const char *path, const struct sshd_config *config, struct err *err);

/* Would sshd run the command, if we started it? It wants it to be root's. */
bool sshd_config_may_look_up(void);
