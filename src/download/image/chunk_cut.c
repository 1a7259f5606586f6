/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/chunk_cut.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/digest.h"
#include "base/macros.h"

#define GEAR_TEXT "steward chunk gear 1"

/* Each byte shifts the hash by one bit: it knows the last 64 bytes and no others. */
#define WINDOW 64u

/* From here on a chunk ends at one place of 2^14 and no longer of 2^18, so that most chunks are
 * about as long as the average. With these numbers the average of random bytes is 64 KiB. */
#define NORMAL      (CHUNK_AVERAGE - CHUNK_MIN / 4 * 3)
#define SELDOM_BITS 18
#define OFTEN_BITS  14

int chunk_gear_make(struct chunk_gear *ret, struct err *err)
{
	uint8_t text[sizeof(GEAR_TEXT)] = GEAR_TEXT;
	uint8_t digest[DIGEST_SIZE];
	struct chunk_gear gear;

	for (unsigned byte = 0; byte < N_ELEMENTS(gear.of); byte++) {
		text[sizeof(text) - 1] = (uint8_t)byte; /* in place of the final zero */
		if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha256(), NULL) != 1)
			return err_set(err, -EIO, "SHA-256 failed");
		gear.of[byte] = 0;
		for (unsigned i = 0; i < 8; i++)
			gear.of[byte] = gear.of[byte] << 8 | digest[i];
	}
	*ret = gear;
	return 0;
}

/* The first place from `at` on, and before `end`, where the hash's uppermost bits are zero; end if
 * there is none. */
static size_t find_end(const struct chunk_gear *gear, const uint8_t *bytes, size_t at, size_t end,
		       unsigned bits, uint64_t *hash)
{
	const uint64_t limit = UINT64_C(1) << (64 - bits);
	uint64_t h = *hash;

	for (; at < end; at++) {
		h = (h << 1) + gear->of[bytes[at]];
		if (h < limit)
			break;
	}
	*hash = h;
	return at;
}

size_t chunk_cut(const struct chunk_gear *gear, const uint8_t *bytes, size_t n)
{
	const size_t most = MIN(n, CHUNK_MAX);
	const size_t normal = MIN(most, NORMAL);
	uint64_t hash = 0;
	size_t at;

	if (most <= CHUNK_MIN)
		return most;
	/* What the shortest chunk's last byte ends is not looked at bit by bit: a chunk ends behind
	 * one of the bytes from there on. */
	for (at = CHUNK_MIN - WINDOW; at < CHUNK_MIN - 1; at++)
		hash = (hash << 1) + gear->of[bytes[at]];
	at = find_end(gear, bytes, at, normal, SELDOM_BITS, &hash);
	if (at == normal)
		at = find_end(gear, bytes, at, most, OFTEN_BITS, &hash);
	return MIN(at + 1, most);
}
