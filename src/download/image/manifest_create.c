/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/manifest_create.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "download/image/chunk_index.h"
#include "download/image/chunk_maker.h"
#include "download/image/index.h"
#include "download/image/manifest.h"
#include "download/image/read_once.h"

#define COPY_SIZE  (64u << 10)
#define PIECE_SIZE (1u << 20) /* unless the manifest would get too long */
#define PIECES_MAX 65536u     /* 58 characters each, twice encoded: under MANIFEST_SIZE_MAX */

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* The digests of all pieces, one after the other, as the bytes come. */
struct piece_digests {
	struct manifest *manifest;
	EVP_MD_CTX *digest;
	uint32_t piece;
	uint32_t hashed; /* bytes of it */
};

static int take_for_pieces(void *owner, struct span bytes, struct err *err)
{
	struct piece_digests *p = owner;

	while (bytes.size > 0) {
		uint32_t length = manifest_piece_length(p->manifest, p->piece);
		size_t n = MIN(bytes.size, length - p->hashed);
		bool good =
			(p->hashed > 0 || EVP_DigestInit_ex(p->digest, EVP_sha256(), NULL) == 1) &&
			EVP_DigestUpdate(p->digest, bytes.bytes, n) == 1;

		p->hashed += (uint32_t)n;
		bytes = span_of(bytes.bytes + n, bytes.size - n);
		if (good && p->hashed == length) {
			good = EVP_DigestFinal_ex(p->digest, p->manifest->pieces[p->piece], NULL) ==
			       1;
			p->piece++;
			p->hashed = 0;
		}
		if (!good)
			return err_set(err, -EIO, "SHA-256 failed");
	}
	return 0;
}

static int take_for_whole(void *owner, struct span bytes, struct err *err)
{
	return EVP_DigestUpdate(owner, bytes.bytes, bytes.size) == 1
		       ? 0
		       : err_set(err, -EIO, "SHA-256 failed");
}

static int take_for_chunks(void *owner, struct span bytes, struct err *err)
{
	return chunk_maker_feed(owner, bytes, err);
}

static int hash_file(struct manifest *m, int fd, struct chunk_maker *chunks, struct err *err)
{
	struct piece_digests pieces = {.manifest = m, .digest = EVP_MD_CTX_new()};
	EVP_MD_CTX *whole = EVP_MD_CTX_new();
	const struct reader readers[] = {
		{.take = take_for_whole, .owner = whole},
		{.take = take_for_pieces, .owner = &pieces},
		{.take = take_for_chunks, .owner = chunks},
	};
	int rc = 0;

	if (!whole || !pieces.digest || EVP_DigestInit_ex(whole, EVP_sha256(), NULL) != 1)
		rc = err_set(err, -ENOMEM, "SHA-256: out of memory");
	if (rc == 0)
		rc = read_once(fd, m->size, readers, chunks ? 3 : 2, err);
	if (rc == 0 && EVP_DigestFinal_ex(whole, m->sha256, NULL) != 1)
		rc = err_set(err, -EIO, "SHA-256 failed");
	EVP_MD_CTX_free(whole);
	EVP_MD_CTX_free(pieces.digest);
	return rc;
}

static int name_of(const char *path, char ret[MANIFEST_NAME_SIZE], struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (!manifest_name_is_valid(name))
		return err_set(err, -EINVAL, "'%s' is not a file name that a manifest may have",
			       name);
	(void)snprintf(ret, MANIFEST_NAME_SIZE, "%s", name);
	return 0;
}

static uint64_t count_pieces(uint64_t size, uint32_t piece_size)
{
	return (size + piece_size - 1) / piece_size;
}

static uint32_t choose_piece_size(uint64_t size)
{
	uint32_t piece_size = PIECE_SIZE;

	while (piece_size < PIECE_SIZE_MAX && count_pieces(size, piece_size) > PIECES_MAX)
		piece_size *= 2;
	return piece_size;
}

int manifest_of_file(struct manifest *ret, const char *path, const char *version,
		     uint32_t piece_size, int64_t created, struct chunk_maker *chunks,
		     struct err *err)
{
	_cleanup_(manifest_release) struct manifest m = {.created = created};
	_cleanup_(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, -errno, "open %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(err, -EINVAL, "%s: expected a file that is not empty", path);
	if (!manifest_name_is_valid(version))
		return err_set(err, -EINVAL, "'%s' is not the name of a version", version);
	rc = name_of(path, m.file, err);
	if (rc < 0)
		return rc;
	(void)snprintf(m.version, sizeof(m.version), "%s", version);
	m.size = (uint64_t)st.st_size;
	m.piece_size = piece_size ? piece_size : choose_piece_size(m.size);
	if (count_pieces(m.size, m.piece_size) > PIECES_MAX)
		return err_set(err, -E2BIG,
			       "%s: %" PRIu64 " pieces of %" PRIu32
			       " bytes, a manifest has room for %u: use a larger piece-size",
			       path, count_pieces(m.size, m.piece_size), m.piece_size, PIECES_MAX);
	m.n_pieces = (uint32_t)count_pieces(m.size, m.piece_size);
	m.pieces = calloc(m.n_pieces, DIGEST_SIZE);
	rc = m.pieces ? hash_file(&m, fd, chunks, err) : err_set(err, -ENOMEM, "out of memory");
	if (rc < 0)
		return err_wrap(err, "hash %s", path);
	rc = manifest_set_digest(&m, err);
	if (rc < 0)
		return rc;
	*ret = m;
	m.pieces = NULL;
	return 0;
}

static ssize_t copy_bytes(int in, int out)
{
	uint8_t block[COPY_SIZE];
	ssize_t n;

	while ((n = read(in, block, sizeof(block))) > 0)
		for (ssize_t written = 0; written < n;) {
			ssize_t more = write(out, block + written, (size_t)(n - written));

			if (more < 0)
				return more;
			written += more;
		}
	return n;
}

static int copy_file(const char *from, const char *to, struct err *err)
{
	_cleanup_(close_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_(close_fd) int out = -1;
	ssize_t n;

	if (in < 0)
		return err_set_errno(err, -errno, "open %s", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0)
		return err_set_errno(err, -errno, "create %s", to);
	do {
		n = copy_file_range(in, NULL, out, NULL, 1u << 30, 0);
	} while (n > 0);
	/* These filesystems cannot copy a range to each other: the bytes are read and written
	 * instead. */
	if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP))
		n = copy_bytes(in, out);
	if (n < 0)
		return err_set_errno(err, -errno, "copy %s to %s", from, to);
	return 0;
}

/* What goes into a version's folder. */
struct edition {
	const char *image; /* its path */
	struct manifest manifest;
	char *jws;
	struct span chunk_index; /* if the manifest has one; the maker's */
};

static int fill_folder(const char *folder, const struct edition *e, struct err *err)
{
	char path[PATH_MAX];
	int rc = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, e->manifest.file);
	/* If image is a symbolic link, the file that it leads to is linked. */
	if (linkat(AT_FDCWD, e->image, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
		rc = copy_file(e->image, path, err);
	if (rc == 0 && manifest_has_chunks(&e->manifest)) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->manifest.chunks.file);
		rc = atomic_file_write(path, e->chunk_index, 0644, err);
	}
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/manifest.jws", folder);
	return atomic_file_write(path, span_of_string(e->jws), 0644, err);
}

static void remove_folder(const char *folder, const struct manifest *m)
{
	const char *const names[] = {m->file, m->chunks.file, "manifest.jws"};
	char path[PATH_MAX];

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path); /* the folder itself, for an empty name: it stays */
	}
	(void)rmdir(folder);
}

static int publish(const char *output, const struct edition *e, struct err *err)
{
	const struct manifest *m = &e->manifest;
	char folder[PATH_MAX];
	char beside[PATH_MAX];
	int rc;

	/* '#' is in no name: such a folder is never taken for a version. */
	if ((size_t)snprintf(beside, sizeof(beside), "%s/%s#new", output, m->version) >=
	    sizeof(beside) - MANIFEST_NAME_SIZE)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", output);
	(void)snprintf(folder, sizeof(folder), "%s/%s", output, m->version);
	if (access(folder, F_OK) == 0)
		return err_set(err, -EEXIST, "%s is there already", folder);
	remove_folder(beside, m);
	if ((mkdir(output, 0755) < 0 && errno != EEXIST) || mkdir(beside, 0755) < 0)
		return err_set_errno(err, -errno, "create %s", beside);
	rc = fill_folder(beside, e, err);
	if (rc == 0 && rename(beside, folder) < 0)
		rc = err_set_errno(err, -errno, "rename %s to %s", beside, folder);
	if (rc < 0) {
		remove_folder(beside, m);
		return rc;
	}
	return index_write(output, err);
}

/* The image's chunk index becomes part of the edition. If there can be none, the edition goes
 * without. */
static int add_chunk_index(struct edition *e, struct chunk_maker *maker, struct err *ret_without,
			   struct err *err)
{
	struct manifest_chunks *chunks = &e->manifest.chunks;
	int rc;

	if (strlen(e->manifest.file) + strlen(CHUNK_INDEX_SUFFIX) >= MANIFEST_NAME_SIZE) {
		(void)err_set(ret_without, -ENAMETOOLONG, "the image's name is too long for it");
		return 0;
	}
	rc = chunk_maker_end(maker, &e->chunk_index, chunks->sha256, err);
	if (rc == -E2BIG) {
		*ret_without = *err;
		return 0;
	}
	if (rc < 0)
		return rc;
	chunks->size = (uint32_t)e->chunk_index.size;
	(void)snprintf(chunks->file, sizeof(chunks->file), "%s" CHUNK_INDEX_SUFFIX,
		       e->manifest.file);
	return 0;
}

static int create(struct edition *e, const char *version, const struct jws_key *key,
		  uint32_t piece_size, const char *output, struct err *ret_without, struct err *err)
{
	_cleanup_(chunk_maker_release) struct chunk_maker maker = {0};
	int rc = chunk_maker_init(&maker, err);

	if (rc == 0)
		rc = manifest_of_file(&e->manifest, e->image, version, piece_size, time(NULL),
				      &maker, err);
	if (rc == 0)
		rc = add_chunk_index(e, &maker, ret_without, err);
	if (rc == 0)
		rc = manifest_sign(&e->manifest, key, &e->jws, err);
	return rc < 0 ? rc : publish(output, e, err);
}

int manifest_create(const char *image, const char *version, const char *key_path,
		    uint32_t piece_size, const char *output, struct err *ret_without,
		    struct err *err)
{
	struct edition e = {.image = image};
	struct jws_key key = {0};
	int rc;

	ret_without->code = 0;
	if (piece_size != 0 && (piece_size < PIECE_SIZE_MIN || piece_size > PIECE_SIZE_MAX ||
				(piece_size & (piece_size - 1)) != 0))
		return err_set(err, -EINVAL,
			       "piece-size %u: expected a power of two from %u to %u bytes",
			       piece_size, PIECE_SIZE_MIN, PIECE_SIZE_MAX);
	rc = jws_key_load_private(&key, key_path, err);
	if (rc == 0)
		rc = create(&e, version, &key, piece_size, output, ret_without, err);
	free(e.jws);
	manifest_release(&e.manifest);
	jws_key_release(&key);
	return rc;
}
