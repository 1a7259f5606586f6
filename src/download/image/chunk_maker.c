/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/chunk_maker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "download/image/chunk_index.h"

#define WINDOW_SIZE (1u << 20) /* the longer, the less is moved to its front */
#define INDEX_ROOM  (64u << 10)

int chunk_maker_init(struct chunk_maker *ret, struct err *err)
{
	struct chunk_maker maker = {
		.digest = EVP_MD_CTX_new(),
		.window = malloc(WINDOW_SIZE),
		.index = malloc(INDEX_ROOM),
		.index_size = CHUNK_INDEX_HEAD_SIZE,
		.index_room = INDEX_ROOM,
	};
	int rc = 0;

	if (!maker.digest || !maker.window || !maker.index)
		rc = err_set(err, -ENOMEM, "chunk index: out of memory");
	if (rc == 0)
		rc = chunk_gear_make(&maker.gear, err);
	if (rc < 0) {
		chunk_maker_release(&maker);
		return rc;
	}
	chunk_index_put_head(maker.index);
	*ret = maker;
	return 0;
}

static int make_room(struct chunk_maker *maker, struct err *err)
{
	size_t needed = maker->index_size + CHUNK_ENTRY_SIZE;
	uint8_t *larger;

	if (needed <= maker->index_room)
		return 0;
	larger = realloc(maker->index, 2 * maker->index_room);
	if (!larger)
		return err_set(err, -ENOMEM, "chunk index: out of memory");
	maker->index = larger;
	maker->index_room *= 2;
	return 0;
}

static bool is_hashed(const struct chunk_maker *maker, size_t length)
{
	return !maker->lengths || (maker->lengths[length / 8] >> length % 8 & 1);
}

static int hash(struct chunk_maker *maker, struct span chunk, uint8_t ret[DIGEST_SIZE],
		struct err *err)
{
	if (EVP_DigestInit_ex(maker->digest, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(maker->digest, chunk.bytes, chunk.size) != 1 ||
	    EVP_DigestFinal_ex(maker->digest, ret, NULL) != 1)
		return err_set(err, -EIO, "SHA-256 failed");
	return 0;
}

static int add_chunk(struct chunk_maker *maker, struct span chunk, struct err *err)
{
	uint8_t digest[DIGEST_SIZE] = {0};
	int rc;

	if (maker->index_size + CHUNK_ENTRY_SIZE > CHUNK_INDEX_MAX)
		maker->too_long = true;
	if (maker->too_long)
		return 0;
	rc = make_room(maker, err);
	if (rc == 0 && is_hashed(maker, chunk.size))
		rc = hash(maker, chunk, digest, err);
	if (rc < 0)
		return rc;
	chunk_index_put_entry(maker->index + maker->index_size, (uint32_t)chunk.size, digest);
	maker->index_size += CHUNK_ENTRY_SIZE;
	return 0;
}

/* Cuts while there are at least `least` bytes, and moves the rest to the window's front. */
static int cut(struct chunk_maker *maker, size_t least, struct err *err)
{
	size_t done = 0;

	while (maker->held - done >= least) {
		size_t n = chunk_cut(&maker->gear, maker->window + done, maker->held - done);
		int rc = add_chunk(maker, span_of(maker->window + done, n), err);

		if (rc < 0)
			return rc;
		done += n;
	}
	maker->held -= done;
	memmove(maker->window, maker->window + done, maker->held);
	return 0;
}

int chunk_maker_feed(struct chunk_maker *maker, struct span bytes, struct err *err)
{
	while (bytes.size > 0) {
		size_t n = MIN(bytes.size, WINDOW_SIZE - maker->held);
		int rc;

		memcpy(maker->window + maker->held, bytes.bytes, n);
		maker->held += n;
		bytes = span_of(bytes.bytes + n, bytes.size - n);
		if (maker->held < WINDOW_SIZE)
			continue;
		rc = cut(maker, CHUNK_MAX, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int chunk_maker_flush(struct chunk_maker *maker, struct err *err)
{
	return cut(maker, 1, err);
}

void chunk_maker_take(struct chunk_maker *maker,
		      void (*take)(uint32_t length, const uint8_t *digest, void *owner),
		      void *owner)
{
	for (size_t at = CHUNK_INDEX_HEAD_SIZE; at < maker->index_size; at += CHUNK_ENTRY_SIZE)
		take(chunk_index_entry_length(maker->index + at), maker->index + at + 4, owner);
	maker->index_size = CHUNK_INDEX_HEAD_SIZE;
}

int chunk_maker_end(struct chunk_maker *maker, struct span *ret_index,
		    uint8_t ret_sha256[DIGEST_SIZE], struct err *err)
{
	uint8_t digest[DIGEST_SIZE];
	int rc = cut(maker, 1, err);

	if (rc < 0)
		return rc;
	if (maker->too_long)
		return err_set(err, -E2BIG, "a chunk index would be longer than %u bytes",
			       CHUNK_INDEX_MAX);
	if (EVP_Digest(maker->index, maker->index_size, digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(err, -EIO, "SHA-256 failed");
	*ret_index = span_of(maker->index, maker->index_size);
	memcpy(ret_sha256, digest, DIGEST_SIZE);
	return 0;
}

void chunk_maker_release(struct chunk_maker *maker)
{
	EVP_MD_CTX_free(maker->digest);
	free(maker->window);
	free(maker->index);
	memset(maker, 0, sizeof(*maker));
}
