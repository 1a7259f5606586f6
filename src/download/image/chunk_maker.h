/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chunk_maker.h - makes the chunk index of an image from its bytes, as they come.
 *
 * Calling sequence: chunk_maker_init -> chunk_maker_feed ... -> chunk_maker_end ->
 * chunk_maker_release; or -> chunk_maker_take ... -> chunk_maker_flush -> chunk_maker_take ->
 * chunk_maker_release. It takes a little more than 1 MiB, and the index.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/span.h"
#include "download/image/chunk_cut.h"

struct chunk_maker {
	struct chunk_gear gear;
	EVP_MD_CTX *digest;
	uint8_t *window; /* bytes of chunks whose end is not known yet */
	size_t held;
	uint8_t *index;
	size_t index_size;
	size_t index_room;
	bool too_long;          /* it would be: nothing is hashed any more */
	const uint8_t *lengths; /* a bit for each: chunks of other lengths are not hashed, and their
				   digest is 0; borrowed; NULL = all are */
};

int chunk_maker_init(struct chunk_maker *ret, struct err *err);
/* -ENOMEM, or -EIO of libcrypto. */
int chunk_maker_feed(struct chunk_maker *maker, struct span bytes, struct err *err);
/* The image has ended. *ret_index is valid until the release. -E2BIG: the index would be longer
 * than one may be, and there is none of this image. */
int chunk_maker_end(struct chunk_maker *maker, struct span *ret_index,
		    uint8_t ret_sha256[DIGEST_SIZE], struct err *err);

/* For who looks for chunks in a file, and wants no index of it. All bytes that are left are chunks:
 * the file has ended, or what is fed next does not follow them. */
int chunk_maker_flush(struct chunk_maker *maker, struct err *err);
/* Calls take for each chunk so far, and forgets them. */
void chunk_maker_take(struct chunk_maker *maker,
		      void (*take)(uint32_t length, const uint8_t *digest, void *owner),
		      void *owner);
void chunk_maker_release(struct chunk_maker *maker);
