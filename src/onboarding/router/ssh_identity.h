/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh_identity.h - the SSH key that conductors get to know this router by: made once, by
 * ssh-keygen.
 */
#pragma once

#include "base/err.h"
#include "onboarding/ssh_key.h"

/* Before ssh is to read it. -EBADMSG: it is not what was made (kept_file.h). Not there: nothing to
 * check. */
int ssh_identity_check(const char *path, struct err *err);

/* The public key's blob of the private key in path, which is made and synced if it is not there.
 * Blocks. -EINVAL: what is there is no ed25519 key. */
int ssh_identity_provide(const char *path, uint8_t ret[SSH_KEY_ED25519_SIZE], struct err *err);
