/* SPDX-License-Identifier: GPL-3.0-or-later */
/* piece_codes.h - are the bytes of a piece still those that this process wrote?
 *
 * Each piece that was verified when it came gets a message authentication code (GMAC, NIST SP
 * 800-38D) under a key that only the memory of this process has. Nobody without the key finds other
 * bytes with the same code, so that reading back a piece of which there is a code need not hash it
 * once more: where the CPU helps with both, the code costs an eighth of SHA-256. A piece without a
 * code, or with another one, is hashed; so without memory for codes all is as right, but slower.
 *
 * Calling sequence: piece_codes_open -> [piece_codes_begin -> piece_codes_add ... ->
 * piece_codes_keep or piece_codes_match, with a context for each thread] -> piece_codes_close. The
 * threads may work on different pieces only.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define PIECE_CODE_SIZE 16
#define PIECE_CODES_MAX 16384 /* pieces: 256 KiB of codes; an image with more has none */

struct piece_codes {
	uint8_t key[16];
	uint32_t n; /* pieces; 0 = no codes are kept */
	uint8_t (*codes)[PIECE_CODE_SIZE];
};

/* For n pieces, of which none has a code yet. */
void piece_codes_open(struct piece_codes *ret, uint32_t n);
void piece_codes_close(struct piece_codes *codes);

/* Begins a piece. *context is NULL at first, then that of the piece before; it becomes NULL where
 * no code can be made, which the others take. To be freed with EVP_MAC_CTX_free. */
void piece_codes_begin(const struct piece_codes *codes, EVP_MAC_CTX **context, uint32_t piece);
void piece_codes_add(EVP_MAC_CTX **context, struct span bytes);

/* All its bytes were added, and are right: remember the code. */
void piece_codes_keep(const struct piece_codes *codes, EVP_MAC_CTX *context, uint32_t piece);

bool piece_codes_has(const struct piece_codes *codes, uint32_t piece);
/* All bytes that it has now were added: are they those that were kept? */
bool piece_codes_match(const struct piece_codes *codes, EVP_MAC_CTX *context, uint32_t piece);
