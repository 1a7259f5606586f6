/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sealing_keys.h - the keys of a node, or of a conductor, to which values are sealed
 * (sealed_value.h).
 *
 * A list of keys, as it is told to others (public halves) or kept in a file (private halves, and
 * nothing else: the public ones come of them):
 *
 *	offset  size
 *	0       1     kind: 1 = X25519, 2 = ML-KEM-768 (its private half is the seed)
 *	1       2     size of the key, big-endian
 *	3       size  the key
 *	              and so on; 1 to SEALING_KEYS_MAX keys, the innermost first
 *
 * A kind that is not known is passed over, so that a newer node may have more kinds than its
 * conductor.
 *
 * A key's id is the beginning of SHA-256 of its kind and its public half.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "onboarding/encapsulation.h"

#define SEALING_KEYS_MAX 4
#define SEALING_LIST_MAX ((size_t)8192) /* bytes of a list, with kinds that are not known yet */
#define SEALING_ID_SIZE  8

enum sealing_half { SEALING_PUBLIC, SEALING_PRIVATE };

struct sealing_key {
	const struct encapsulation *kind;
	uint8_t id[SEALING_ID_SIZE];
	uint8_t public[ENCAPSULATION_PUBLIC_MAX];
	uint8_t private[ENCAPSULATION_PRIVATE_MAX];
};

struct sealing_keys {
	struct sealing_key keys[SEALING_KEYS_MAX];
	size_t n;
	bool has_private; /* halves */
};

/* New keys, one of each kind that this machine has. */
int sealing_keys_make(struct sealing_keys *ret, struct err *err);
/* Adds one of each kind that keys lack: a newer library may have more. *ret_added: were there any?
 * On failure keys is unchanged. */
int sealing_keys_complete(struct sealing_keys *keys, bool *ret_added, struct err *err);

/* list: of those halves. -EBADMSG: it is none, or has no kind that is known. */
int sealing_keys_parse(struct sealing_keys *ret, struct span list, enum sealing_half half,
		       struct err *err);

/* Returns how many bytes of ret it took. */
size_t sealing_keys_print(const struct sealing_keys *keys, enum sealing_half half,
			  uint8_t ret[SEALING_LIST_MAX]);

/* NULL = none of them has that id. */
const struct sealing_key *sealing_keys_find(const struct sealing_keys *keys,
					    const uint8_t id[SEALING_ID_SIZE]);

/* Are all of these among them? */
bool sealing_keys_have(const struct sealing_keys *keys, const struct sealing_keys *these);

/* Wipes. */
void sealing_keys_release(struct sealing_keys *keys);
