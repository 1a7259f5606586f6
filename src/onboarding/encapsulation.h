/* SPDX-License-Identifier: GPL-3.0-or-later */
/* encapsulation.h - makes a key that only the holder of a private key can make again, by each of
 * the algorithms to whose keys values are sealed (sealing_keys.h).
 *
 * X25519 (RFC 7748): the encapsulation is the public half of a key made for this one time; the
 * secret is what both halves make of it.
 *
 * ML-KEM-768 (base/kem.h): where libcrypto has it; else it counts as a kind that is not known.
 *
 * All keys are raw bytes, of the sizes in encapsulation_of().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ENCAPSULATION_PUBLIC_MAX  1184
#define ENCAPSULATION_PRIVATE_MAX 64
#define ENCAPSULATION_MAX         1088
#define ENCAPSULATION_SECRET      32

/* The numbers stand in what is sealed and kept. */
enum encapsulation_kind {
	ENCAPSULATION_X25519 = 1,
	ENCAPSULATION_ML_KEM_768 = 2,
};

struct encapsulation {
	enum encapsulation_kind kind;
	const char *name;
	const char *label; /* of the key that is made of the secret */
	size_t public_size;
	size_t private_size;
	size_t size; /* of what is sent */
	int (*make)(uint8_t *ret_public, uint8_t *ret_private, struct err *err);
	int (*publish)(const uint8_t *private, uint8_t *ret_public, struct err *err);
	/* public may be anybody's bytes: -EBADMSG. */
	int (*encapsulate)(const uint8_t *public, uint8_t *ret,
			   uint8_t ret_secret[ENCAPSULATION_SECRET], struct err *err);
	int (*decapsulate)(const uint8_t *private, const uint8_t *encapsulated,
			   uint8_t ret_secret[ENCAPSULATION_SECRET], struct err *err);
};

/* NULL = none that this program has. */
const struct encapsulation *encapsulation_of(unsigned kind);
/* Those that keys are made for, the first of which is the innermost; NULL after the last. */
const struct encapsulation *encapsulation_at(size_t i);
