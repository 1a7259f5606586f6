/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/piece_codes.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define IV_SIZE 12

/* Of a piece that has none. That a real one is the same has no bearing: its piece is hashed. */
static const uint8_t no_code[PIECE_CODE_SIZE];

void piece_codes_open(struct piece_codes *ret, uint32_t n)
{
	memset(ret, 0, sizeof(*ret));
	if (n > PIECE_CODES_MAX || RAND_bytes(ret->key, sizeof(ret->key)) != 1)
		return;
	ret->codes = calloc(n, PIECE_CODE_SIZE);
	ret->n = ret->codes ? n : 0;
}

void piece_codes_close(struct piece_codes *codes)
{
	OPENSSL_cleanse(codes->key, sizeof(codes->key));
	free(codes->codes);
	codes->codes = NULL;
	codes->n = 0;
}

static EVP_MAC_CTX *new_context(const struct piece_codes *codes, uint8_t *iv)
{
	char cipher[] = "AES-128-GCM";
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, iv, IV_SIZE),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *gmac = EVP_MAC_fetch(NULL, "GMAC", NULL);
	EVP_MAC_CTX *context = gmac ? EVP_MAC_CTX_new(gmac) : NULL;

	EVP_MAC_free(gmac);
	if (context && EVP_MAC_init(context, codes->key, sizeof(codes->key), parameters) == 1)
		return context;
	EVP_MAC_CTX_free(context);
	return NULL;
}

static bool begin_again(EVP_MAC_CTX *context, uint8_t *iv)
{
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, iv, IV_SIZE),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_init(context, NULL, 0, parameters) == 1;
}

static void give_up(EVP_MAC_CTX **context)
{
	EVP_MAC_CTX_free(*context);
	*context = NULL;
}

/* The IV is the piece's number. So a piece that is written a second time has it a second time; that
 * would give the key away to somebody who sees both codes, and nobody ever does. */
void piece_codes_begin(const struct piece_codes *codes, EVP_MAC_CTX **context, uint32_t piece)
{
	uint8_t iv[IV_SIZE] = {0};

	if (piece >= codes->n) {
		give_up(context);
		return;
	}
	memcpy(iv, &piece, sizeof(piece));
	if (!*context)
		*context = new_context(codes, iv);
	else if (!begin_again(*context, iv))
		give_up(context);
}

void piece_codes_add(EVP_MAC_CTX **context, struct span bytes)
{
	if (*context && EVP_MAC_update(*context, bytes.bytes, bytes.size) != 1)
		give_up(context);
}

static bool finish(EVP_MAC_CTX *context, uint8_t ret[PIECE_CODE_SIZE])
{
	size_t size = 0;

	return context && EVP_MAC_final(context, ret, &size, PIECE_CODE_SIZE) == 1 &&
	       size == PIECE_CODE_SIZE;
}

void piece_codes_keep(const struct piece_codes *codes, EVP_MAC_CTX *context, uint32_t piece)
{
	uint8_t code[PIECE_CODE_SIZE];

	if (finish(context, code))
		memcpy(codes->codes[piece], code, sizeof(code));
}

bool piece_codes_has(const struct piece_codes *codes, uint32_t piece)
{
	return piece < codes->n && memcmp(codes->codes[piece], no_code, sizeof(no_code)) != 0;
}

bool piece_codes_match(const struct piece_codes *codes, EVP_MAC_CTX *context, uint32_t piece)
{
	uint8_t code[PIECE_CODE_SIZE];

	return piece_codes_has(codes, piece) && finish(context, code) &&
	       CRYPTO_memcmp(code, codes->codes[piece], sizeof(code)) == 0;
}
