/* SPDX-License-Identifier: GPL-3.0-or-later */
/* authorized_keys.h - who may build a tunnel, and to which ports: the file that sshd reads
 * (docs/onboarding.md, "Port 930 afterwards"). One line for each enrolled node, written only from
 * the key's bytes and from numbers, so that no text of a router is ever in it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "onboarding/ssh_key.h"

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

/* Write the file atomically, readable by all: it has only public keys. sshd reads it at each
 * authentication, so a change applies from the next one on. */
int authorized_keys_write(const char *path, const struct authorized_key *keys, size_t n_keys,
			  uint16_t repository_port, struct err *err);
