/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/index.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/macros.h"
#include "download/image/image_file.h"

static int read_entry(struct index_entry *ret, const cJSON *item, struct err *err)
{
	char expected[2 * MANIFEST_NAME_SIZE];
	const char *version;
	const char *manifest;
	int rc = json_get_string(item, "version", MANIFEST_NAME_SIZE - 1, &version, err);

	ret->imported = true;
	if (rc == 0)
		rc = json_get_string(item, "manifest", sizeof(expected) - 1, &manifest, err);
	if (rc == 0)
		rc = json_get_optional_bool(item, "imported", &ret->imported, err);
	if (rc == 0)
		rc = json_get_optional_bool(item, "available", &ret->available, err);
	if (rc != 0)
		return rc;
	if (!manifest_name_is_valid(version))
		return err_set(err, -EBADMSG, "'%s' is not the name of a version", version);
	(void)snprintf(expected, sizeof(expected), "%s/manifest.jws", version);
	if (strcmp(manifest, expected) != 0)
		return err_set(err, -EBADMSG, "\"manifest\" is '%s', expected '%s'", manifest,
			       expected);
	memcpy(ret->version, version, strlen(version) + 1);
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct index_entry *left = a;
	const struct index_entry *right = b;

	return strcmp(left->version, right->version);
}

static int read_entries(struct index *index, const cJSON *versions, struct err *err)
{
	size_t n = (size_t)cJSON_GetArraySize(versions);
	const cJSON *item;

	/* An entry takes at least 32 bytes, so the size of the file bounds their number, and what a
	 * hostile file can cost. */
	if (n > INDEX_SIZE_MAX / 32)
		return err_set(err, -EBADMSG, "more than %u versions", INDEX_SIZE_MAX / 32);
	index->entries = calloc(n + 1, sizeof(*index->entries));
	if (!index->entries)
		return err_set(err, -ENOMEM, "out of memory");
	cJSON_ArrayForEach (item, versions) {
		int rc = read_entry(&index->entries[index->n_entries], item, err);

		if (rc < 0)
			return rc;
		index->n_entries++;
	}
	qsort(index->entries, n, sizeof(*index->entries), compare_entries);
	for (size_t i = 1; i < n; i++)
		if (strcmp(index->entries[i - 1].version, index->entries[i].version) == 0)
			return err_set(err, -EBADMSG, "version %s stands twice",
				       index->entries[i].version);
	return 0;
}

int index_parse(struct index *ret, struct span json, struct err *err)
{
	_cleanup_(json_freep) cJSON *root = NULL;
	_cleanup_(index_release) struct index index = {0};
	const cJSON *versions;
	int rc = json_parse(&root, json, INDEX_SIZE_MAX, err);

	if (rc == 0)
		rc = json_get_array(root, "versions", &versions, err);
	if (rc == 0)
		rc = read_entries(&index, versions, err);
	if (rc < 0)
		return rc;
	*ret = index;
	index.entries = NULL;
	return 0;
}

void index_keep_imported(struct index *index)
{
	size_t kept = 0;

	for (size_t i = 0; i < index->n_entries; i++)
		if (index->entries[i].imported)
			index->entries[kept++] = index->entries[i];
	index->n_entries = kept;
}

const struct index_entry *index_find(const struct index *index, const char *version)
{
	for (size_t i = 0; i < index->n_entries; i++)
		if (strcmp(index->entries[i].version, version) == 0)
			return &index->entries[i];
	return NULL;
}

void index_release(struct index *index)
{
	free(index->entries);
	*index = (struct index){0};
}

static cJSON *add_version(cJSON *versions, const char *version, bool imported)
{
	cJSON *item = cJSON_CreateObject();
	char manifest[2 * MANIFEST_NAME_SIZE];

	(void)snprintf(manifest, sizeof(manifest), "%s/manifest.jws", version);
	cJSON_AddStringToObject(item, "version", version);
	cJSON_AddStringToObject(item, "manifest", manifest);
	if (!imported)
		cJSON_AddFalseToObject(item, "imported");
	cJSON_AddItemToArray(versions, item);
	return item;
}

void index_add_version(cJSON *versions, const char *version, bool imported)
{
	(void)add_version(versions, version, imported);
}

void index_add_available(cJSON *versions, const char *version)
{
	cJSON_AddTrueToObject(add_version(versions, version, false), "available");
}

static bool has_file(const char *directory, const char *version, const char *file)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", directory, version, file);
	return access(path, R_OK) == 0;
}

int index_write(const char *directory, struct err *err)
{
	char path[PATH_MAX];
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, NULL, versionsort);
	cJSON *root = cJSON_CreateObject();
	cJSON *versions = cJSON_AddArrayToObject(root, "versions");
	char *text;
	int rc;

	if (n < 0)
		rc = err_set_errno(err, -errno, "list %s", directory);
	for (int i = 0; i < n; i++) {
		const char *version = entries[i]->d_name;

		if (manifest_name_is_valid(version) && has_file(directory, version, "manifest.jws"))
			index_add_version(versions, version,
					  !has_file(directory, version, IMAGE_DOWNLOADED_MARK));
		free(entries[i]);
	}
	free(entries);
	text = cJSON_PrintUnformatted(root);
	cJSON_Delete(root);
	(void)snprintf(path, sizeof(path), "%s/index.json", directory);
	if (n >= 0)
		rc = text ? atomic_file_write(path, span_of_string(text), 0644, err)
			  : err_set(err, -ENOMEM, "%s: out of memory", path);
	free(text);
	return rc;
}
