/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sshd_config.h - the configuration of the sshd on the open port: one user, public keys, and
 * nothing but forwardings (docs/onboarding.md, "Port 930 afterwards").
 */
#pragma once

#include "base/err.h"

struct sshd_config {
	const char *user;     /* the only one, and whom sshd runs as */
	const char *host_key; /* paths, absolute */
	const char *authorized_keys;
	const char *kex; /* ssh_kex_algorithms() */
	unsigned login_grace_s;
};

/* Write it atomically. Errors: -EINVAL (a name or path that sshd would read otherwise). */
int sshd_config_write(const char *path, const struct sshd_config *config, struct err *err);
