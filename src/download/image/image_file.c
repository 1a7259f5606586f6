/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/image_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/macros.h"

#define HASH_BLOCK IMAGE_WRITE_MAX

static uint64_t free_bytes(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) < 0 ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* Allocates the disk blocks of the whole file now, so that the disk cannot be full later. */
static int allocate(int fd, uint64_t size, const char *path, struct err *err)
{
	struct stat st;
	uint64_t needed;
	uint64_t available = free_bytes(fd);

	if (fstat(fd, &st) < 0)
		return err_set_errno(err, -errno, "stat %s", path);
	needed = size - MIN(size, (uint64_t)st.st_blocks * 512);
	if (needed > available)
		return err_set(err, -ENOSPC,
			       "no space: %s needs %" PRIu64 " bytes more, %" PRIu64 " are free",
			       path, needed, available);
	if (fallocate(fd, 0, 0, (off_t)size) == 0)
		return 0;
	if (errno == ENOSPC)
		return err_set(err, -ENOSPC,
			       "no space: %s needs %" PRIu64 " bytes more, %" PRIu64 " are free",
			       path, needed, free_bytes(fd));
	if (errno != EOPNOTSUPP)
		return err_set_errno(err, -errno, "allocate %" PRIu64 " bytes for %s", size, path);
	if (ftruncate(fd, (off_t)size) < 0)
		return err_set_errno(err, -errno, "set the size of %s", path);
	return 0;
}

int image_file_open(struct image_file *ret, const char *directory, const char *file, uint64_t size,
		    bool *ret_existed, struct err *err)
{
	struct image_file f = {.size = size};
	struct stat st;
	bool existed;
	int rc;

	if (asprintf(&f.path, "%s/%s.part", directory, file) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", file);
	f.fd = open(f.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (f.fd < 0) {
		rc = err_set_errno(err, -errno, "open %s", f.path);
		free(f.path);
		return rc;
	}
	existed = fstat(f.fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
	rc = 0;
	if (!existed && ftruncate(f.fd, 0) < 0)
		rc = err_set_errno(err, -errno, "truncate %s", f.path);
	if (rc == 0)
		rc = allocate(f.fd, size, f.path, err);
	if (rc < 0) {
		if (existed)
			image_file_close(&f);
		else
			image_file_remove(&f);
		return rc;
	}
	*ret = f;
	*ret_existed = existed;
	return 0;
}

void image_file_close(struct image_file *f)
{
	(void)close(f->fd);
	free(f->path);
	f->path = NULL;
	piece_codes_close(&f->codes);
}

void image_file_remove(struct image_file *f)
{
	(void)unlink(f->path);
	image_file_close(f);
}

void image_file_remove_stale(const char *directory)
{
	DIR *entries = opendir(directory);
	const struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		size_t length = strlen(entry->d_name);

		if (length > 5 && strcmp(entry->d_name + length - 5, ".part") == 0)
			(void)unlinkat(dirfd(entries), entry->d_name, 0);
	}
	if (entries)
		(void)closedir(entries);
}

static int write_bytes(const struct image_file *f, uint64_t offset, struct span bytes,
		       struct err *err)
{
	size_t done = 0;

	while (done < bytes.size) {
		ssize_t n = pwrite(f->fd, bytes.bytes + done, bytes.size - done,
				   (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, -errno, "write %s at %" PRIu64, f->path,
					     offset + done);
		done += (size_t)n;
	}
	return 0;
}

int image_file_read(const struct image_file *f, uint64_t offset, void *ret, size_t n,
		    struct err *err)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(f->fd, (uint8_t *)ret + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, -errno, "read %s at %" PRIu64, f->path,
					     offset + done);
		if (got == 0)
			return err_set(err, -EIO,
				       "read %s: ends at %" PRIu64 " of %" PRIu64 " bytes", f->path,
				       offset + done, f->size);
		done += (size_t)got;
	}
	return 0;
}

int image_file_sync(const struct image_file *f, struct err *err)
{
	if (fdatasync(f->fd) < 0)
		return err_set_errno(err, -errno, "sync %s", f->path);
	return 0;
}

void image_pieces_release(struct image_pieces *p)
{
	EVP_MD_CTX_free(p->digest);
	EVP_MAC_CTX_free(p->code);
	p->digest = NULL;
	p->code = NULL;
}

/* What bytes of a file are fed to: a digest, a code, or both. */
struct sums {
	EVP_MD_CTX *digest;
	EVP_MAC_CTX **code;
};

static int add_to(const struct sums *sums, struct span bytes, struct err *err)
{
	if (sums->code)
		piece_codes_add(sums->code, bytes);
	if (sums->digest && EVP_DigestUpdate(sums->digest, bytes.bytes, bytes.size) != 1)
		return err_set(err, -EIO, "SHA-256 failed");
	return 0;
}

static int read_into(const struct image_file *f, uint64_t offset, uint64_t length,
		     const struct sums *sums, struct err *err)
{
	uint8_t *block = malloc(HASH_BLOCK);
	int rc = block ? 0 : err_set(err, -ENOMEM, "SHA-256: out of memory");

	for (uint64_t done = 0; done < length && rc == 0;) {
		size_t n = (size_t)MIN(HASH_BLOCK, length - done);

		rc = image_file_read(f, offset + done, block, n, err);
		if (rc == 0)
			rc = add_to(sums, span_of(block, n), err);
		done += n;
	}
	free(block);
	return rc;
}

static int begin_piece(const struct image_file *f, struct image_pieces *p, uint32_t piece)
{
	if (!p->digest)
		p->digest = EVP_MD_CTX_new();
	if (!p->digest || EVP_DigestInit_ex(p->digest, EVP_sha256(), NULL) != 1)
		return err_set(&p->err, -ENOMEM, "SHA-256: out of memory");
	piece_codes_begin(&f->codes, &p->code, piece);
	p->hashed = 0;
	return 0;
}

static int hash_bytes(struct image_pieces *p, struct span bytes)
{
	int rc = add_to(&(struct sums){p->digest, &p->code}, bytes, &p->err);

	if (rc == 0)
		p->hashed += (uint32_t)bytes.size;
	return rc;
}

/* Hashes the beginning of a piece, which an earlier request brought. */
static int begin_piece_from_file(const struct image_file *f, struct image_pieces *p,
				 uint64_t offset, uint32_t piece, uint32_t length)
{
	int rc = begin_piece(f, p, piece);

	if (rc == 0)
		rc = read_into(f, offset, length, &(struct sums){p->digest, &p->code}, &p->err);
	if (rc == 0)
		p->hashed = length;
	return rc;
}

/* The last hole is filled: hashes the rest of the piece, which was there before. */
static int add_rest_from_file(const struct image_file *f, struct image_pieces *p, uint64_t offset,
			      uint32_t length)
{
	int rc = read_into(f, offset, length, &(struct sums){p->digest, &p->code}, &p->err);

	if (rc == 0)
		p->hashed += length;
	return rc;
}

static int judge_piece(const struct image_file *f, struct image_pieces *p,
		       const struct manifest *manifest, uint32_t piece)
{
	uint8_t found[DIGEST_SIZE];

	if (EVP_DigestFinal_ex(p->digest, found, NULL) != 1)
		return err_set(&p->err, -EIO, "SHA-256 failed");
	p->hashed = 0;
	if (memcmp(found, manifest->pieces[piece], DIGEST_SIZE) != 0) {
		p->mismatch = true;
		p->wrong = piece;
		return manifest_describe_mismatch(manifest, piece, found, &p->err);
	}
	piece_codes_keep(&f->codes, p->code, piece);
	p->right[p->n_right++] = piece;
	return 0;
}

/* The part of the bytes that lies in one piece. Returns how many it took, or an error. */
static int64_t take_part(const struct image_file *f, const struct manifest *manifest,
			 uint64_t offset, struct span bytes, struct image_pieces *p)
{
	uint32_t piece = (uint32_t)(offset / manifest->piece_size);
	uint32_t within = (uint32_t)(offset % manifest->piece_size);
	uint32_t length = manifest_piece_length(manifest, piece);
	uint32_t n = (uint32_t)MIN(length - within, bytes.size);
	int rc = 0;

	if (within == 0)
		rc = begin_piece(f, p, piece);
	else if (p->hashed == 0)
		rc = begin_piece_from_file(f, p, offset - within, piece, within);
	if (rc == 0)
		rc = hash_bytes(p, span_of(bytes.bytes, n));
	if (rc == 0 && within + n < length && offset + n == p->held_from)
		rc = add_rest_from_file(f, p, offset + n, length - within - n);
	if (rc == 0 && p->hashed == length)
		rc = judge_piece(f, p, manifest, piece);
	return rc < 0 ? rc : (int64_t)n;
}

void image_file_write(const struct image_file *f, const struct manifest *manifest, uint64_t offset,
		      struct span bytes, struct image_pieces *pieces)
{
	pieces->n_right = 0;
	image_file_write_on(f, manifest, offset, bytes, pieces);
}

void image_file_write_on(const struct image_file *f, const struct manifest *manifest,
			 uint64_t offset, struct span bytes, struct image_pieces *pieces)
{
	size_t done = 0;

	if (pieces->err.code < 0)
		return;
	if (write_bytes(f, offset, bytes, &pieces->err) < 0)
		return;
	while (done < bytes.size) {
		int64_t n = take_part(f, manifest, offset + done,
				      span_of(bytes.bytes + done, bytes.size - done), pieces);

		if (n < 0)
			return;
		done += (size_t)n;
	}
}

int image_file_hash(const struct image_file *f, uint64_t offset, uint64_t length,
		    uint8_t ret[DIGEST_SIZE], struct err *err)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	int rc;

	if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1)
		rc = read_into(f, offset, length, &(struct sums){.digest = digest}, err);
	else
		rc = err_set(err, -ENOMEM, "SHA-256: out of memory");
	if (rc == 0 && EVP_DigestFinal_ex(digest, ret, NULL) != 1)
		rc = err_set(err, -EIO, "SHA-256 failed");
	EVP_MD_CTX_free(digest);
	return rc;
}

void image_file_keep_codes(struct image_file *f, const struct manifest *manifest)
{
	piece_codes_open(&f->codes, manifest->n_pieces);
}

int image_file_check(const struct image_file *f, const struct manifest *manifest, uint32_t piece,
		     struct image_pieces *p, bool *ret_right, struct err *err)
{
	uint64_t first = manifest_piece_first(manifest, piece);
	uint32_t length = manifest_piece_length(manifest, piece);
	uint8_t digest[DIGEST_SIZE];
	int rc = 0;

	if (piece_codes_has(&f->codes, piece)) {
		piece_codes_begin(&f->codes, &p->code, piece);
		rc = read_into(f, first, length, &(struct sums){.code = &p->code}, err);
		if (rc < 0)
			return rc;
		if (piece_codes_match(&f->codes, p->code, piece)) {
			*ret_right = true;
			return 0;
		}
	}
	rc = image_file_hash(f, first, length, digest, err);
	if (rc == 0)
		*ret_right = memcmp(digest, manifest->pieces[piece], DIGEST_SIZE) == 0;
	return rc;
}

bool image_file_is_in_place(const struct image_file *f)
{
	struct stat ours;
	struct stat there;

	return fstat(f->fd, &ours) == 0 && lstat(f->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino &&
	       (uint64_t)ours.st_size == f->size;
}

static int move_into(struct image_file *f, const char *folder, const char *file, struct err *err)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, file) >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s/%s: path too long", folder, file);
	if (rename(f->path, path) < 0)
		return err_set_errno(err, -errno, "move %s to %s", f->path, path);
	return directory_sync(folder, err);
}

/* The mark is set before the image is complete, so that a downloaded image is never taken for an
 * imported one, whenever the power fails. */
static int set_mark(const struct image_file *f, const char *folder, struct err *err)
{
	char path[PATH_MAX];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/" IMAGE_DOWNLOADED_MARK, folder) >=
	    sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", folder);
	if (!f->marked)
		return unlink(path) == 0 || errno == ENOENT
			       ? 0
			       : err_set_errno(err, -errno, "remove %s", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_set_errno(err, -errno, "create %s", path);
	(void)close(fd); /* it is empty: syncing the folder is enough */
	return 0;
}

/* The image got its room before it came; the index did not. */
static void write_chunk_index(const char *folder, const struct manifest *manifest,
			      const struct image_papers *papers)
{
	char path[PATH_MAX];

	if (papers->chunk_index.size == 0)
		return;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, manifest->chunks.file) >=
	    sizeof(path))
		(void)err_set(papers->without, -ENAMETOOLONG, "%s: path too long", folder);
	else
		(void)atomic_file_write(path, papers->chunk_index, 0644, papers->without);
}

int image_file_publish(struct image_file *f, const struct manifest *manifest,
		       const struct image_papers *papers, const char *images, struct err *err)
{
	char folder[PATH_MAX];
	char path[PATH_MAX];
	int rc = image_file_sync(f, err);

	if (rc < 0)
		return rc;
	(void)snprintf(folder, sizeof(folder), "%s/%s", images, manifest->version);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return err_set_errno(err, -errno, "create %s", folder);
	if ((size_t)snprintf(path, sizeof(path), "%s/manifest.jws", folder) >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", folder);
	rc = set_mark(f, folder, err);
	if (rc == 0)
		rc = atomic_file_write(path, papers->jws, 0644, err);
	if (rc == 0)
		write_chunk_index(folder, manifest, papers);
	if (rc == 0)
		rc = move_into(f, folder, manifest->file, err);
	if (rc == 0)
		rc = directory_sync(images, err);
	if (rc == 0)
		image_file_close(f);
	return rc;
}
