/* SPDX-License-Identifier: GPL-3.0-or-later */
/* authorized_keys.h - who may build a tunnel, and to which ports: the file in which sshd has a
 * key looked up (docs/onboarding.md, "Port 930 afterwards"). One line for each enrolled node,
 * written only from the key's bytes and from numbers, so that no text of a router is ever in it.
 *
 * Each line ends with blanks, so that all have the same size: one of fifty thousand is written over
 * without the others. A line of nothing but blanks is nobody's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "onboarding/ssh_key.h"

#define AUTHORIZED_KEYS_LINE 192u /* bytes, with the final newline */

struct authorized_key {
	uint8_t blob[SSH_KEY_ED25519_SIZE];
	uint16_t listen_port;
};

/* The base64 of SHA-256 without padding, as sshd writes it after "SHA256:". */
#define AUTHORIZED_KEY_FINGERPRINT_SIZE 44 /* with the final zero */
void authorized_key_fingerprint(const uint8_t blob[SSH_KEY_ED25519_SIZE],
				char ret[AUTHORIZED_KEY_FINGERPRINT_SIZE]);

/* The content of the file, zero-terminated; the caller frees it. repository_port: where every
 * node may connect to. Errors: -EINVAL (a blob that is no ssh-ed25519 key, a port 0), -ENOMEM. */
int authorized_keys_format(const struct authorized_key *keys, size_t n_keys,
			   uint16_t repository_port, char **ret, struct err *err);

/* Write the whole file atomically, readable by all: it has only public keys. sshd looks into it at
 * each authentication, so a change applies from the next one on. */
int authorized_keys_write(const char *path, const struct authorized_key *keys, size_t n_keys,
			  uint16_t repository_port, struct err *err);

/* Lines of the file that is there are written over, and lines added at its end:
 * authorized_keys_open -> authorized_keys_put ... -> authorized_keys_finish. Somebody who looks
 * meanwhile sees some of them as they were, and may see a line that is being written as no key.
 * -ESTALE: it does not have so many lines, so it is not the file that was written here. */
int authorized_keys_open(const char *path, size_t n_lines, int *ret_fd, struct err *err);
/* line: from 0, at most one more than there are. key: NULL = nobody's. */
int authorized_keys_put(int fd, size_t line, const struct authorized_key *key,
			uint16_t repository_port, struct err *err);
/* Closes fd, also after a failure; with sync, what was written is on disk first. */
int authorized_keys_finish(int fd, bool sync, struct err *err);
