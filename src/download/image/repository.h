/* SPDX-License-Identifier: GPL-3.0-or-later */
/* repository.h - the node's images, in the layout in which others can use them as a source.
 *
 * <state-directory>/images/{index.json,<version>/{manifest.jws,<file>}} (docs/download.md, "On
 * disk"). A folder is an image if it has a manifest and a file of the manifest's size. At each
 * start the index is rebuilt from the folders, and folders that were half published are removed.
 *
 * What the loop thread knows of the images is in memory here. Functions marked "blocks" touch the
 * disk and nothing that is shared, and run on the thread pool.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "download/image/image_file.h"
#include "download/image/manifest.h"
#include "download/image/trusted_keys.h"

struct image {
	char version[MANIFEST_NAME_SIZE];
	char file[MANIFEST_NAME_SIZE];
	struct manifest_chunks chunks; /* its file need not be there */
	uint64_t size;
	uint8_t sha256[DIGEST_SIZE];
	int64_t created; /* Unix seconds, of the manifest */
	bool imported;   /* by an operator, here or on the HA peer; known on a conductor */
	int64_t used_s;  /* Unix seconds, when it was last used; 0 = not known: it was imported */
};

struct image_names {
	char (*versions)[MANIFEST_NAME_SIZE]; /* owned */
	size_t n;
};

struct repository;

/* Makes <state>/images and <state>/downloads, on one filesystem, and finds the images. Blocks.
 * removed: filled if something was no complete image and was removed. trouble: filled if the
 * directories or an image cannot be read or written; then fewer images are known. If not filled,
 * their codes are 0. Errors: -EXDEV, -ENOMEM. */
int repository_open(struct repository **ret, const char *state_directory, struct err *removed,
		    struct err *trouble, struct err *err);
void repository_close(struct repository *r);

const char *repository_directory(const struct repository *r);
const struct image *repository_find(const struct repository *r, const char *version);
size_t repository_count(const struct repository *r);
/* number is less than the count. */
const struct image *repository_at(const struct repository *r, size_t number);
cJSON *repository_to_json(const struct repository *r);
/* An index.json with only the imported images. */
cJSON *repository_imported_index(const struct repository *r);
cJSON *image_to_json(const struct image *image);

/* An image was published, or its files were removed: note it. -ENOMEM. */
int repository_add(struct repository *r, const struct manifest *manifest, bool imported);
void repository_forget(struct repository *r, const char *version);

/* Somebody takes it. The time is kept at the mark of an image that was downloaded, to the minute.
 */
void repository_use(struct repository *r, const char *version, int64_t now_s);

/* Write index.json from the folders. Blocks; jobs of several downloads may end at once. */
int repository_write_index(struct repository *r, struct err *err);

/* Remove an image's folder; 0 if there is none. It is renamed away first, so that it is never
 * half there. Blocks. */
int repository_remove_files(struct repository *r, const char *version, struct err *err);

/* Tries again what repository_open() could not do. Blocks. */
int repository_make_directories(const struct repository *r, struct err *err);

/* Check an image again: its manifest's signature, and each piece. progress is called after each, on
 * the same thread, and ends it by returning false (-ECANCELED). -EBADMSG: damaged; err has the
 * piece and both digests. Blocks. */
int repository_verify(const struct repository *r, const char *version,
		      const struct trusted_keys *keys,
		      bool (*progress)(void *owner, uint64_t done, uint64_t size), void *owner,
		      struct err *err);
