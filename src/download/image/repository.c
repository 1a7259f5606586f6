/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/repository.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/atomic_file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"
#include "download/image/index.h"
#include "download/image/manifest.h"

#define USED_GRAIN_S 60 /* seldom enough to cost nothing */

struct repository {
	char *state_directory;
	char *images; /* directory */
	struct image *list;
	size_t n;
	uv_mutex_t index; /* held while index.json is written */
};

const char *repository_directory(const struct repository *r)
{
	return r->images;
}

static int make_directory(const char *path, dev_t *ret_device, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set_errno(err, -errno, "create %s", path);
	if (stat(path, &st) < 0)
		return err_set_errno(err, -errno, "stat %s", path);
	*ret_device = st.st_dev;
	return 0;
}

/* Publishing is a rename from one to the other. */
int repository_make_directories(const struct repository *r, struct err *err)
{
	char downloads[PATH_MAX];
	dev_t of_images;
	dev_t of_downloads;
	int rc;

	(void)snprintf(downloads, sizeof(downloads), "%s/downloads", r->state_directory);
	if (mkdir(r->state_directory, 0755) < 0 && errno != EEXIST)
		return err_set_errno(err, -errno, "create state-directory %s", r->state_directory);
	rc = make_directory(r->images, &of_images, err);
	if (rc == 0)
		rc = make_directory(downloads, &of_downloads, err);
	if (rc != 0)
		return rc;
	if (of_images != of_downloads)
		return err_set(err, -EXDEV,
			       "%s and %s must be on one filesystem, or no image can be published",
			       r->images, downloads);
	return 0;
}

static int image_path(const struct repository *r, const char *version, const char *file,
		      char path[PATH_MAX], struct err *err)
{
	if (snprintf(path, PATH_MAX, "%s/%s/%s", r->images, version, file) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", r->images);
	return 0;
}

/* Reads an image's manifest without checking the signature, which was verified before the image
 * was published. */
static int read_manifest(const struct repository *r, const char *version,
			 const struct trusted_keys *keys, struct manifest *ret, struct err *err)
{
	char path[PATH_MAX];
	char *jws = NULL;
	size_t size = 0;
	int rc = image_path(r, version, "manifest.jws", path, err);

	if (rc == 0)
		rc = file_read(path, MANIFEST_SIZE_MAX, &jws, &size, err);
	if (rc < 0)
		return rc;
	if (keys)
		rc = manifest_parse(ret, keys->keys, keys->n, span_of(jws, size), version, err);
	else
		rc = manifest_read_unverified(ret, span_of(jws, size), version, err);
	if (rc < 0)
		(void)err_wrap(err, "%s", path);
	free(jws);
	return rc;
}

static int check_file(const struct repository *r, const struct manifest *m, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;
	int rc = image_path(r, m->version, m->file, path, err);

	if (rc < 0)
		return rc;
	if (lstat(path, &st) < 0)
		return err_set_errno(err, -errno, "%s", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != m->size)
		return err_set(err, -EBADMSG, "%s: expected a file of %llu bytes, found %llu", path,
			       (unsigned long long)m->size, (unsigned long long)st.st_size);
	return 0;
}

/* Does this error mean that there is no usable image: one that was half published, or is damaged?
 * An error of the disk does not mean that. */
static bool is_no_image(int rc)
{
	return rc == -ENOENT || rc == -EBADMSG || rc == -EPROTO || rc == -EFBIG;
}

static bool was_imported(const struct repository *r, const char *version)
{
	char path[PATH_MAX];
	struct err ignored;

	return image_path(r, version, IMAGE_DOWNLOADED_MARK, path, &ignored) == 0 &&
	       access(path, F_OK) != 0;
}

/* The mark of a downloaded image was made with it, and touched when it was used. */
static int64_t last_use(const struct repository *r, const char *version)
{
	char path[PATH_MAX];
	struct stat st;
	struct err ignored;

	if (image_path(r, version, IMAGE_DOWNLOADED_MARK, path, &ignored) < 0 ||
	    stat(path, &st) < 0)
		return 0;
	return st.st_mtim.tv_sec;
}

static void find_image(struct repository *r, const char *version, struct err *removed,
		       struct err *trouble)
{
	_cleanup_(manifest_release) struct manifest m = {0};
	struct err err;
	struct err ignored;
	int rc = read_manifest(r, version, NULL, &m, &err);

	if (rc == 0)
		rc = check_file(r, &m, &err);
	if (rc == 0 && repository_add(r, &m, was_imported(r, version)) == 0)
		return;
	if (is_no_image(rc)) {
		(void)err_set(removed, rc, "image %s is not complete, removed: %s", version,
			      err.text);
		(void)repository_remove_files(r, version, &ignored);
	} else if (rc < 0) {
		(void)err_set(trouble, rc, "image %s cannot be read: %s", version, err.text);
	}
}

static void find_images(struct repository *r, struct err *removed, struct err *trouble)
{
	struct dirent **entries = NULL;
	int n = scandir(r->images, &entries, NULL, versionsort);

	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		char path[PATH_MAX];
		struct stat st;

		(void)snprintf(path, sizeof(path), "%s/%s", r->images, name);
		if (manifest_name_is_valid(name) && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			find_image(r, name, removed, trouble);
		free(entries[i]);
	}
	free(entries);
}

static struct repository *new_repository(const char *state_directory)
{
	struct repository *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	(void)uv_mutex_init(&r->index);
	r->state_directory = strdup(state_directory);
	if (r->state_directory && asprintf(&r->images, "%s/images", state_directory) >= 0)
		return r;
	r->images = NULL;
	repository_close(r);
	return NULL;
}

int repository_open(struct repository **ret, const char *state_directory, struct err *removed,
		    struct err *trouble, struct err *err)
{
	struct repository *r = new_repository(state_directory);
	int rc;

	removed->code = 0;
	trouble->code = 0;
	if (!r)
		return err_set(err, -ENOMEM, "images: out of memory");
	rc = repository_make_directories(r, trouble);
	if (rc == -EXDEV) {
		*err = *trouble;
		repository_close(r);
		return rc;
	}
	find_images(r, removed, trouble);
	if (rc == 0)
		(void)repository_write_index(r, trouble);
	*ret = r;
	return 0;
}

void repository_close(struct repository *r)
{
	if (!r)
		return;
	uv_mutex_destroy(&r->index);
	free(r->state_directory);
	free(r->images);
	free(r->list);
	free(r);
}

const struct image *repository_find(const struct repository *r, const char *version)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->list[i].version, version) == 0)
			return &r->list[i];
	return NULL;
}

size_t repository_count(const struct repository *r)
{
	return r->n;
}

const struct image *repository_at(const struct repository *r, size_t number)
{
	return &r->list[number];
}

int repository_add(struct repository *r, const struct manifest *manifest, bool imported)
{
	struct image *larger;
	struct image *image;

	repository_forget(r, manifest->version);
	larger = realloc(r->list, (r->n + 1) * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	r->list = larger;
	image = &r->list[r->n++];
	memcpy(image->version, manifest->version, sizeof(image->version));
	memcpy(image->file, manifest->file, sizeof(image->file));
	memcpy(image->sha256, manifest->sha256, sizeof(image->sha256));
	image->chunks = manifest->chunks;
	image->size = manifest->size;
	image->created = manifest->created;
	image->imported = imported;
	image->used_s = last_use(r, manifest->version);
	return 0;
}

void repository_use(struct repository *r, const char *version, int64_t now_s)
{
	struct image *image = NULL;
	char path[PATH_MAX];
	struct err ignored;

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->list[i].version, version) == 0)
			image = &r->list[i];
	if (!image || image->imported || now_s < image->used_s + USED_GRAIN_S)
		return;
	image->used_s = now_s;
	if (image_path(r, version, IMAGE_DOWNLOADED_MARK, path, &ignored) == 0)
		(void)utimensat(AT_FDCWD, path, NULL, 0);
}

void repository_forget(struct repository *r, const char *version)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->list[i].version, version) != 0)
			continue;
		memmove(&r->list[i], &r->list[i + 1], (r->n - i - 1) * sizeof(r->list[0]));
		r->n--;
		return;
	}
}

int repository_write_index(struct repository *r, struct err *err)
{
	int rc;

	uv_mutex_lock(&r->index);
	rc = index_write(r->images, err);
	uv_mutex_unlock(&r->index);
	return rc;
}

cJSON *image_to_json(const struct image *image)
{
	cJSON *json = cJSON_CreateObject();
	char hex[2 * DIGEST_SIZE + 1];

	hex_encode(span_of(image->sha256, DIGEST_SIZE), hex);
	cJSON_AddStringToObject(json, "version", image->version);
	cJSON_AddStringToObject(json, "file", image->file);
	cJSON_AddNumberToObject(json, "size", (double)image->size);
	cJSON_AddStringToObject(json, "sha256", hex);
	cJSON_AddNumberToObject(json, "created", (double)image->created);
	if (!image->imported)
		cJSON_AddFalseToObject(json, "imported");
	return json;
}

cJSON *repository_to_json(const struct repository *r)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *images = cJSON_AddArrayToObject(json, "images");

	for (size_t i = 0; i < r->n; i++)
		cJSON_AddItemToArray(images, image_to_json(&r->list[i]));
	return json;
}

cJSON *repository_imported_index(const struct repository *r)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *versions = cJSON_AddArrayToObject(json, "versions");

	for (size_t i = 0; i < r->n; i++)
		if (r->list[i].imported)
			index_add_version(versions, r->list[i].version, true);
	return json;
}

static int verify_piece(const struct image_file *file, const struct manifest *m, uint32_t piece,
			struct err *err)
{
	uint8_t found[DIGEST_SIZE];
	int rc = image_file_hash(file, manifest_piece_first(m, piece),
				 manifest_piece_length(m, piece), found, err);

	if (rc < 0 || memcmp(found, m->pieces[piece], DIGEST_SIZE) == 0)
		return rc;
	return manifest_describe_mismatch(m, piece, found, err);
}

static int verify_pieces(const struct image_file *file, const struct manifest *m,
			 bool (*progress)(void *owner, uint64_t done, uint64_t size), void *owner,
			 struct err *err)
{
	uint64_t done = 0;

	for (uint32_t piece = 0; piece < m->n_pieces; piece++) {
		int rc = verify_piece(file, m, piece, err);

		if (rc < 0)
			return rc;
		done += manifest_piece_length(m, piece);
		if (!progress(owner, done, m->size))
			return err_set(err, -ECANCELED, "cancelled");
	}
	return 0;
}

int repository_verify(const struct repository *r, const char *version,
		      const struct trusted_keys *keys,
		      bool (*progress)(void *owner, uint64_t done, uint64_t size), void *owner,
		      struct err *err)
{
	_cleanup_(manifest_release) struct manifest m = {0};
	char path[PATH_MAX];
	struct image_file file = {.path = path};
	int rc = read_manifest(r, version, keys, &m, err);

	if (rc == 0)
		rc = check_file(r, &m, err);
	if (rc == 0)
		rc = image_path(r, version, m.file, path, err);
	if (rc < 0)
		return rc;
	file.size = m.size;
	file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file.fd < 0)
		return err_set_errno(err, -errno, "open %s", path);
	rc = verify_pieces(&file, &m, progress, owner, err);
	(void)close(file.fd);
	return rc;
}
