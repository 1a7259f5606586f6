/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/chunk_keep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/hex.h"
#include "base/macros.h"
#include "download/image/chunk_maker.h"

#define HEX_SIZE (2 * DIGEST_SIZE + 1)

int chunk_keep_check(const struct manifest_chunks *chunks, struct span index, struct err *err)
{
	uint8_t found[DIGEST_SIZE];
	char expected_hex[HEX_SIZE];
	char found_hex[HEX_SIZE];

	if (EVP_Digest(index.bytes, index.size, found, NULL, EVP_sha256(), NULL) != 1)
		return err_set(err, -EIO, "SHA-256 failed");
	if (index.size == chunks->size && memcmp(found, chunks->sha256, DIGEST_SIZE) == 0)
		return 0;
	hex_encode(span_of(chunks->sha256, DIGEST_SIZE), expected_hex);
	hex_encode(span_of(found, DIGEST_SIZE), found_hex);
	return err_set(err, -EBADMSG,
		       "the manifest has a chunk index of %" PRIu32
		       " bytes, sha256 %s; this one has %zu bytes, sha256 %s",
		       chunks->size, expected_hex, index.size, found_hex);
}

int chunk_keep_read(const char *path, const struct manifest_chunks *chunks, char **ret_index,
		    struct err *err)
{
	char *index = NULL;
	size_t size = 0;
	int rc = file_read_regular(path, chunks->size, &index, &size, err);

	if (rc < 0)
		return rc;
	rc = chunk_keep_check(chunks, span_of(index, size), err);
	if (rc < 0) {
		free(index);
		return err_wrap(err, "%s", path);
	}
	*ret_index = index;
	return 0;
}

static int feed_image(struct chunk_maker *maker, const struct image_file *f, uint8_t *block,
		      bool (*go_on)(void *owner), void *owner, struct err *err)
{
	for (uint64_t at = 0; at < f->size;) {
		size_t n = (size_t)MIN(IMAGE_WRITE_MAX, f->size - at);
		int rc = go_on(owner) ? image_file_read(f, at, block, n, err)
				      : err_set(err, -ECANCELED, "Steward stops");

		if (rc == 0)
			rc = chunk_maker_feed(maker, span_of(block, n), err);
		if (rc < 0)
			return rc;
		at += n;
	}
	return 0;
}

/* Everybody who cuts an image gets the same index. */
static int make(const struct image_file *f, const struct manifest *manifest,
		bool (*go_on)(void *owner), void *owner, char **ret_index, struct err *err)
{
	_cleanup_(chunk_maker_release) struct chunk_maker maker = {0};
	uint8_t *block = malloc(IMAGE_WRITE_MAX);
	uint8_t sha256[DIGEST_SIZE];
	struct span index = {0};
	int rc = block ? chunk_maker_init(&maker, err) : err_set(err, -ENOMEM, "out of memory");

	if (rc == 0)
		rc = feed_image(&maker, f, block, go_on, owner, err);
	if (rc == 0)
		rc = chunk_maker_end(&maker, &index, sha256, err);
	if (rc == 0)
		rc = chunk_keep_check(&manifest->chunks, index, err);
	free(block);
	if (rc < 0)
		return rc;
	*ret_index = (char *)maker.index;
	maker.index = NULL;
	return 0;
}

int chunk_keep_obtain(const struct image_file *f, const struct manifest *manifest, const char *path,
		      bool (*go_on)(void *owner), void *owner, char **ret_index, struct err *err)
{
	struct err ignored;

	if (path && chunk_keep_read(path, &manifest->chunks, ret_index, &ignored) == 0)
		return 0;
	return make(f, manifest, go_on, owner, ret_index, err);
}
