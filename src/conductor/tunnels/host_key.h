/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host_key.h - the SSH host key of a conductor: ed25519, made once by ssh-keygen. Beside it an
 * operator may put the next one, by which routers may know the conductor before sshd shows it.
 */
#pragma once

#include "base/err.h"
#include "onboarding/ssh_key.h"

struct host_keys {
	uint8_t now[SSH_KEY_ED25519_SIZE]; /* that sshd shows */
	uint8_t next[SSH_KEY_ED25519_SIZE];
	uint8_t has_next; /* 1 = there is a next one; no bool, for messages are not believed */
};

/* Read path.next.pub, if it is there. -EBADMSG: it has no ssh-ed25519 key; else errors of reading.
 */
int host_key_read_next(const char *path, struct host_keys *keys, struct err *err);

/* Make path and path.pub, synced, if one of them is missing, and read the public key. Errors: those
 * of ssh-keygen, -EBADMSG (path.pub has no ssh-ed25519 key). */
int host_key_ensure(const char *path, uint8_t ret_blob[SSH_KEY_ED25519_SIZE], struct err *err);
