/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh_keygen.h - new SSH keys, made by the tool ssh-keygen.
 *
 * The pair is returned and not left on the disk: its owner writes it, synced, and the public half
 * first. So where the private key is, both are.
 *
 * Calling sequence: ssh_keygen_make -> ssh_key_pair_release.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

/* The two files as ssh-keygen wrote them. Zeroed = none. */
struct ssh_key_pair {
	char *private;
	size_t private_size;
	char *public;
	size_t public_size;
};

/* Makes an ed25519 pair without a passphrase. For a moment it is in path + ".new" and
 * path + ".new.pub", mode 0600 and 0644; what is there already is removed. Blocks. Errors: those of
 * ssh-keygen, -ENAMETOOLONG. */
int ssh_keygen_make(const char *path, const char *comment, struct ssh_key_pair *ret,
		    struct err *err);
void ssh_key_pair_release(struct ssh_key_pair *pair); /* wipes; takes a zeroed one */
