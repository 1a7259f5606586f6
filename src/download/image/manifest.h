/* SPDX-License-Identifier: GPL-3.0-or-later */
/* manifest.h - what a version is: its file, its size, and the digest of every piece, signed.
 *
 * The format and its limits: docs/download.md, "Repository layout". A manifest that fails any of
 * them is refused as a whole and leaves the caller's struct untouched.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/jws.h"
#include "base/span.h"
#include "download/image/chunk_maker.h"

#define MANIFEST_TYP       "steward-manifest+jws"
#define MANIFEST_SIZE_MAX  (4u << 20) /* bytes of JWS */
#define MANIFEST_NAME_SIZE 129        /* of version and file, with the final zero */
#define PIECE_SIZE_MIN     (64u << 10)
#define PIECE_SIZE_MAX     (16u << 20)

/* The index of the image's chunks (chunk_index.h), a file of its own beside the image. */
struct manifest_chunks {
	char file[MANIFEST_NAME_SIZE]; /* empty = there is none */
	uint32_t size;                 /* bytes */
	uint8_t sha256[DIGEST_SIZE];
};

struct manifest {
	char version[MANIFEST_NAME_SIZE];
	char file[MANIFEST_NAME_SIZE];
	uint64_t size; /* bytes, at least 1 */
	uint32_t piece_size;
	uint32_t n_pieces;
	uint8_t sha256[DIGEST_SIZE];    /* of the whole file */
	uint8_t (*pieces)[DIGEST_SIZE]; /* n_pieces of them; owned */
	int64_t created;                /* Unix seconds */
	struct manifest_chunks chunks;
	/* Identifies the image: SHA-256 over all of the above but created and chunks. Two manifests
	 * of one image that were signed at other times or by other keys, or of which only one has a
	 * chunk index, have the same digest. */
	uint8_t digest[DIGEST_SIZE];
};

/* Whether name may be a version or a file (docs/download.md, "Repository layout"). */
bool manifest_name_is_valid(const char *name);

bool manifest_has_chunks(const struct manifest *manifest);

/* Verify the signature by one of keys, then read. version is what was asked for; NULL takes
 * any. Errors: -EBADMSG (malformed), -EKEYREJECTED (signature), -EPROTO (another version),
 * -E2BIG, -ENOMEM. */
int manifest_parse(struct manifest *ret, const struct jws_key *keys, size_t n_keys, struct span jws,
		   const char *version, struct err *err);

/* Hash the image at path in one pass and fill ret. file is the path's last component. chunks,
 * unless NULL, is fed with all of it in the same pass. Errors: also the file's own. */
int manifest_of_file(struct manifest *ret, const char *path, const char *version,
		     uint32_t piece_size, int64_t created, struct chunk_maker *chunks,
		     struct err *err);

/* The signed JWS, zero-terminated, to be freed by the caller. */
int manifest_sign(const struct manifest *manifest, const struct jws_key *key, char **ret_jws,
		  struct err *err);

void manifest_release(struct manifest *manifest);

/* Fill err with -EBADMSG, the piece and both digests; return that. */
int manifest_describe_mismatch(const struct manifest *manifest, uint32_t piece,
			       const uint8_t found[DIGEST_SIZE], struct err *err);

/* The offset at which a piece begins, and its length in bytes (the last piece may be shorter). */
uint64_t manifest_piece_first(const struct manifest *manifest, uint32_t piece);
uint32_t manifest_piece_length(const struct manifest *manifest, uint32_t piece);

/* What a manifest says, without asking who signed it: for files that were verified when they were
 * put where they are (a key that is no longer trusted takes no image away that is there), and for
 * those who make a manifest. As manifest_parse(), past the signature. */
int manifest_read_payload(struct manifest *ret, const cJSON *payload, const char *version,
			  struct err *err);
int manifest_read_unverified(struct manifest *ret, struct span jws, const char *version,
			     struct err *err);

/* Set digest from the other members. -ENOMEM. */
int manifest_set_digest(struct manifest *manifest, struct err *err);
