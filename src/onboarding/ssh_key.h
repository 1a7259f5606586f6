/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh_key.h - SSH public keys as blobs (RFC 4253, 6.6): the bytes whose base64 is in
 * authorized_keys and known_hosts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define SSH_KEY_ED25519_SIZE 51  /* RFC 8709, 4 */
#define SSH_KEY_SIZE_MAX     600 /* RSA of 4096 bits: 535 */
#define SSH_KEY_TYPE_SIZE    32  /* with the final zero */

/* Is it an ssh-ed25519 key, byte for byte and nothing after it? */
bool ssh_key_is_ed25519(struct span blob);

/* The type that a blob names: ssh-ed25519, ecdsa-sha2-nistp256, 384, 521 or ssh-rsa; NULL = none of
 * them, or its fields do not end where the blob does. */
const char *ssh_key_type(struct span blob);

/* The blob of a line as it is in a .pub file: "ssh-ed25519 AAAA... comment". -EINVAL: it is no
 * such key; -ENOMEM. */
int ssh_key_from_line(const char *line, uint8_t ret[SSH_KEY_ED25519_SIZE]);
