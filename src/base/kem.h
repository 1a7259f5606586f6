/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kem.h - ML-KEM-768 (FIPS 203): a secret for whoever holds a key, which a quantum computer
 * does not find either.
 *
 * libcrypto has it since 3.5. kem_is_there() is the one place that asks; where it says no, the
 * other functions fail with -EOPNOTSUPP. Use it beside another exchange, never instead of one: the
 * keys that follow are to depend on both.
 *
 * Its seed is a key's private half. It is as secret as what is encapsulated to the key.
 *
 * Calling sequence: kem_generate -> the other side's kem_encapsulate -> kem_decapsulate.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define KEM_NAME            "ML-KEM-768"
#define KEM_SEED_SIZE       64   /* d, then z */
#define KEM_PUBLIC_SIZE     1184 /* the encapsulation key */
#define KEM_CIPHERTEXT_SIZE 1088
#define KEM_SECRET_SIZE     32

bool kem_is_there(void);

/* A new key. -EOPNOTSUPP, -ENOMEM. */
int kem_generate(uint8_t ret_seed[KEM_SEED_SIZE], uint8_t ret_public[KEM_PUBLIC_SIZE],
		 struct err *err);
/* The public half of a key. The same errors. */
int kem_public(const uint8_t seed[KEM_SEED_SIZE], uint8_t ret_public[KEM_PUBLIC_SIZE],
	       struct err *err);

/* A new secret, and what tells it to the key's holder alone. -EBADMSG: it is no public half of a
 * key; -EOPNOTSUPP, -ENOMEM. */
int kem_encapsulate(struct span public, uint8_t ret_ciphertext[KEM_CIPHERTEXT_SIZE],
		    uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err);

/* Who changed the ciphertext is not told so here: another secret comes out, which only z and the
 * ciphertext decide (FIPS 203, algorithm 18). A MAC under it shows that. -EBADMSG: it has another
 * size; -EOPNOTSUPP, -ENOMEM. */
int kem_decapsulate(const uint8_t seed[KEM_SEED_SIZE], struct span ciphertext,
		    uint8_t ret_secret[KEM_SECRET_SIZE], struct err *err);
