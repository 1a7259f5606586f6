/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host_key.h - the SSH host key of a conductor: ed25519, made once by ssh-keygen.
 */
#pragma once

#include "base/err.h"
#include "onboarding/ssh_key.h"

/* Make path and path.pub, synced, if one of them is missing, and read the public key. Errors: those
 * of ssh-keygen, -EBADMSG (path.pub has no ssh-ed25519 key). */
int host_key_ensure(const char *path, uint8_t ret_blob[SSH_KEY_ED25519_SIZE], struct err *err);
