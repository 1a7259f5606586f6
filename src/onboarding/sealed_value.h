/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sealed_value.h - a secret value of a router's configuration, sealed so that only the holder of
 * the private halves of all the keys can read it (docs/onboarding.md).
 *
 *	offset  size
 *	0       4     "SWS1"
 *	4       1     number n of keys, 1 to SEALING_KEYS_MAX
 *	5       9n    for each, the innermost first: kind (1), id (8)
 *	5+9n          the wrapped key
 *	              the value, encrypted under K, and a tag of 16 bytes
 *
 * K, 32 random bytes, is made for this value alone. It is encapsulated to one key after the other,
 * each layer around the one before: layer 0 is K, layer i the encapsulation to key i followed by
 * layer i-1 encrypted under a key of that encapsulation, with a tag. The wrapped key is layer n.
 * Whoever opens it does so from the outermost layer inwards.
 *
 * C = SHA-256("steward-sealed 1" 0x00, the first 5+9n bytes, router and path each after their
 * length in two bytes, version in 8 bytes; numbers big-endian). Encryption is AES-256-GCM, C its
 * additional data, its nonce zero: each key encrypts once. A layer's key is HKDF-SHA256 of the
 * encapsulated secret, salt SHA-256(C, the public key, the encapsulation), label
 * "steward-sealed x25519" or "steward-sealed ml-kem-768".
 *
 * So a value opens for its own router, leaf and version alone; the node is bound by its keys.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "onboarding/sealing_keys.h"

#define SEALED_VALUE_MAX  ((size_t)8192) /* bytes of a value */
#define SEALED_SIZE_MAX   ((size_t)16384)
#define SEALED_PLACE_SIZE 65535 /* of router and path, each, as text */

struct sealed_place {
	const char *router;
	const char *path; /* of the leaf */
	uint64_t version; /* of the value */
};

/* The caller frees *ret. -EINVAL: too long; else errors of libcrypto. */
int sealed_value_seal(const struct sealing_keys *keys, const struct sealed_place *place,
		      struct span value, uint8_t **ret, size_t *ret_size, struct err *err);

/* Is it one, and sealed to keys that are all among these? */
bool sealed_value_is_for(struct span sealed, const struct sealing_keys *keys);

/* *ret is zero-terminated; the caller wipes and frees it. -ENOKEY: it is sealed to other keys;
 * -EBADMSG: it is none, was changed, or is for another router, leaf or version. */
int sealed_value_open(const struct sealing_keys *keys, const struct sealed_place *place,
		      struct span sealed, char **ret, size_t *ret_size, struct err *err);
