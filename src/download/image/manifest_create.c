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
#include "download/image/index.h"
#include "download/image/manifest.h"

#define READ_SIZE  (256u << 10)
#define COPY_SIZE  (64u << 10)
#define PIECE_SIZE (1u << 20) /* unless the manifest would get too long */
#define PIECES_MAX 65536u     /* 58 characters each, twice encoded: under MANIFEST_SIZE_MAX */

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

struct hashing {
	EVP_MD_CTX *whole;
	EVP_MD_CTX *piece;
	uint8_t *block;
};

static void hashing_release(struct hashing *h)
{
	EVP_MD_CTX_free(h->whole);
	EVP_MD_CTX_free(h->piece);
	free(h->block);
}

static int hash_piece(struct hashing *h, int fd, uint32_t length, uint8_t ret[DIGEST_SIZE])
{
	if (EVP_DigestInit_ex(h->piece, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	while (length > 0) {
		ssize_t n = read(fd, h->block, MIN(length, READ_SIZE));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		if (EVP_DigestUpdate(h->piece, h->block, (size_t)n) != 1 ||
		    EVP_DigestUpdate(h->whole, h->block, (size_t)n) != 1)
			return -EIO;
		length -= (uint32_t)n;
	}
	return EVP_DigestFinal_ex(h->piece, ret, NULL) == 1 ? 0 : -EIO;
}

static int hash_file(struct manifest *m, int fd)
{
	_cleanup_(hashing_release) struct hashing h = {
		.whole = EVP_MD_CTX_new(),
		.piece = EVP_MD_CTX_new(),
		.block = malloc(READ_SIZE),
	};

	if (!h.whole || !h.piece || !h.block || EVP_DigestInit_ex(h.whole, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (uint32_t piece = 0; piece < m->n_pieces; piece++) {
		int rc = hash_piece(&h, fd, manifest_piece_length(m, piece), m->pieces[piece]);

		if (rc < 0)
			return rc;
	}
	return EVP_DigestFinal_ex(h.whole, m->sha256, NULL) == 1 ? 0 : -EIO;
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
		     uint32_t piece_size, int64_t created, struct err *err)
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
	rc = m.pieces ? hash_file(&m, fd) : -ENOMEM;
	if (rc < 0)
		return err_set_errno(err, rc, "hash %s", path);
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

static int fill_folder(const char *folder, const char *image, const struct manifest *m,
		       const char *jws, struct err *err)
{
	char path[PATH_MAX];
	int rc = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, m->file);
	/* If image is a symbolic link, the file that it leads to is linked. */
	if (linkat(AT_FDCWD, image, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
		rc = copy_file(image, path, err);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/manifest.jws", folder);
	return atomic_file_write(path, span_of_string(jws), 0644, err);
}

static void remove_folder(const char *folder, const char *file)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, file);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/manifest.jws", folder);
	(void)unlink(path);
	(void)rmdir(folder);
}

static int publish(const char *image, const char *output, const struct manifest *m, const char *jws,
		   struct err *err)
{
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
	remove_folder(beside, m->file);
	if ((mkdir(output, 0755) < 0 && errno != EEXIST) || mkdir(beside, 0755) < 0)
		return err_set_errno(err, -errno, "create %s", beside);
	rc = fill_folder(beside, image, m, jws, err);
	if (rc == 0 && rename(beside, folder) < 0)
		rc = err_set_errno(err, -errno, "rename %s to %s", beside, folder);
	if (rc < 0) {
		remove_folder(beside, m->file);
		return rc;
	}
	return index_write(output, err);
}

int manifest_create(const char *image, const char *version, const char *key_path,
		    uint32_t piece_size, const char *output, struct err *err)
{
	_cleanup_(manifest_release) struct manifest m = {0};
	struct jws_key key = {0};
	char *jws = NULL;
	int rc;

	if (piece_size != 0 && (piece_size < PIECE_SIZE_MIN || piece_size > PIECE_SIZE_MAX ||
				(piece_size & (piece_size - 1)) != 0))
		return err_set(err, -EINVAL,
			       "piece-size %u: expected a power of two from %u to %u bytes",
			       piece_size, PIECE_SIZE_MIN, PIECE_SIZE_MAX);
	rc = jws_key_load_private(&key, key_path, err);
	if (rc == 0)
		rc = manifest_of_file(&m, image, version, piece_size, time(NULL), err);
	if (rc == 0)
		rc = manifest_sign(&m, &key, &jws, err);
	if (rc == 0)
		rc = publish(image, output, &m, jws, err);
	free(jws);
	jws_key_release(&key);
	return rc;
}
