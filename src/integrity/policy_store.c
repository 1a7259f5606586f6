/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/policy_store.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/macros.h"
#include "integrity/seal_record.h"
#include "integrity/sealed_directory.h"

#define OPENED_FILE     "opened.json"
#define OPENED_SIZE_MAX 1024

static void free_text(char **text)
{
	free(*text);
}

static void close_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

static void release_record(struct seal_record *record)
{
	seal_record_release(record);
}

static void folder_of(const struct config_integrity *config, char ret[PATH_MAX])
{
	(void)snprintf(ret, PATH_MAX, "%s/" POLICY_STORE_FOLDER, config->record_directory);
}

static bool is_policy_file(const char *name)
{
	const size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".json") == 0;
}

static int load_file(const char *path, struct signed_policy *ret, struct err *err)
{
	_cleanup_(free_text) char *text = NULL;
	size_t size;
	int rc = file_read_regular(path, SIGNED_POLICY_SIZE_MAX, &text, &size, err);

	if (rc < 0)
		return rc;
	rc = signed_policy_parse(ret, span_of(text, size), err);
	return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

typedef int (*policy_file_cb)(void *owner, const char *path, const struct signed_policy *p);

/* Calls the function for each file until one call returns other than 0. A folder that is missing
 * counts as empty. */
static int for_each_in(const char *directory, policy_file_cb work, void *owner)
{
	_cleanup_(close_folder) DIR *folder = opendir(directory);
	const struct dirent *entry;
	int rc = 0;

	while (rc == 0 && folder && (entry = readdir(folder))) {
		struct signed_policy policy;
		char path[PATH_MAX];
		struct err err;

		if (!is_policy_file(entry->d_name) ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >=
			    sizeof(path))
			continue;
		if (load_file(path, &policy, &err) == 0)
			rc = work(owner, path, &policy);
		else
			log_debug("no policy: %s", err.text);
	}
	return rc;
}

static int take(void *owner, const char *path, const struct signed_policy *p)
{
	struct policy_store *store = owner;

	(void)path;
	if (store->n == POLICY_STORE_MAX)
		return -E2BIG;
	store->each[store->n++] = *p;
	return 0;
}

static int newer_first(const void *a, const void *b)
{
	const struct signed_policy *x = a;
	const struct signed_policy *y = b;

	if (x->generation != y->generation)
		return x->generation < y->generation ? 1 : -1;
	return strcmp(x->name, y->name);
}

int policy_store_load(const struct config_integrity *config, struct policy_store *ret,
		      struct err *err)
{
	struct policy_store store = {.each = calloc(POLICY_STORE_MAX, sizeof(*store.each))};
	char folder[PATH_MAX];

	if (!store.each)
		return err_set(err, -ENOMEM, "out of memory");
	folder_of(config, folder);
	if (for_each_in(folder, take, &store) == 0)
		(void)for_each_in(config->policy_directory, take, &store);
	qsort(store.each, store.n, sizeof(*store.each), newer_first);
	*ret = store;
	return 0;
}

void policy_store_release(struct policy_store *store)
{
	free(store->each);
	store->each = NULL;
	store->n = 0;
}

static int authority_here(const struct config_integrity *config, struct policy_authority *ret,
			  struct err *err)
{
	_cleanup_(release_record) struct seal_record record = {0};
	int rc = seal_record_load(&record, config->record_directory, SEAL_RECORD_FILE, err);

	if (rc == 0 && record.policy.authority.is_set) {
		*ret = record.policy.authority;
		return 0;
	}
	if (config->policy_key)
		return policy_authority_load(config->policy_key, config->policy_nv_index, ret, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return err_set(err, -EINVAL, "no policy-key is configured: a signed policy opens nothing");
}

static int count(void *owner, const char *path, const struct signed_policy *p)
{
	(void)path;
	(void)p;
	(*(size_t *)owner)++;
	return 0;
}

static int keep(const char *folder, const struct signed_policy *p, struct err *err)
{
	_cleanup_(free_text) char *text = signed_policy_print(p);
	TPM2B_DIGEST digest;
	char path[PATH_MAX];
	char name[17];

	if (!text || signed_policy_digest(p, &digest) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	/* The name is made from the digest, so the same policy replaces itself. */
	hex_encode(span_of(digest.buffer, 8), name);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s.json", folder, name) >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", folder);
	return atomic_file_write(path, span_of_string(text), 0600, err);
}

int policy_store_add(const struct config_integrity *config, struct span text, struct err *err)
{
	struct policy_authority authority;
	struct signed_policy policy;
	struct failure f = {0};
	char folder[PATH_MAX];
	size_t kept = 0;
	int rc = signed_policy_parse(&policy, text, err);

	if (rc == 0)
		rc = authority_here(config, &authority, err);
	if (rc == 0)
		rc = signed_policy_check(&policy, &authority, err);
	if (rc < 0)
		return rc;
	folder_of(config, folder);
	(void)for_each_in(folder, count, &kept);
	if (kept >= POLICY_STORE_KEPT)
		return err_set(err, -ENOSPC,
			       "%zu policies are kept in %s already: remove what is ended", kept,
			       folder);
	rc = directory_provide(folder, 0700, &f);
	return rc < 0 ? err_set(err, rc, "%s", f.err.text) : keep(folder, &policy, err);
}

static int remove_older(void *owner, const char *path, const struct signed_policy *p)
{
	if (p->generation < *(const uint64_t *)owner)
		(void)unlink(path);
	return 0;
}

int policy_store_prune(const struct config_integrity *config, uint64_t generation, struct err *err)
{
	struct failure f = {0};
	char folder[PATH_MAX];

	folder_of(config, folder);
	if (directory_provide(folder, 0700, &f) < 0)
		return err_set(err, f.err.code, "%s", f.err.text);
	(void)for_each_in(folder, remove_older, &generation);
	return directory_sync(folder, err);
}

static int remove_each(void *owner, const char *path, const struct signed_policy *p)
{
	(void)owner;
	(void)p;
	(void)unlink(path);
	return 0;
}

int policy_store_clear(const struct config_integrity *config, struct err *err)
{
	static const struct policy_opened none = {0};
	char folder[PATH_MAX];

	folder_of(config, folder);
	(void)for_each_in(folder, remove_each, NULL);
	/* If files of others are left in it, the folder stays. */
	(void)rmdir(folder);
	return policy_opened_save(config, &none, err);
}

/* Under which policy the directories were opened last. */

static int opened_path(const struct config_integrity *config, char ret[PATH_MAX], struct err *err)
{
	if ((size_t)snprintf(ret, PATH_MAX, "%s/" OPENED_FILE, config->record_directory) >=
	    PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", config->record_directory);
	return 0;
}

int policy_opened_load(const struct config_integrity *config, struct policy_opened *ret,
		       struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	_cleanup_(free_text) char *text = NULL;
	struct policy_opened opened = {0};
	const char *name = "";
	const char *digest = "";
	char path[PATH_MAX];
	size_t size;
	int rc = opened_path(config, path, err);

	if (rc == 0)
		rc = file_read_regular(path, OPENED_SIZE_MAX, &text, &size, err);
	if (rc == 0)
		rc = json_parse(&json, span_of(text, size), OPENED_SIZE_MAX, err);
	if (rc == 0)
		rc = json_get_string(json, "policy", sizeof(opened.name) - 1, &name, err);
	if (rc == 0)
		rc = json_get_uint(json, "generation", JSON_INT_MAX, &opened.generation, err);
	if (rc == 0)
		rc = json_get_uint(json, "counter", JSON_INT_MAX, &opened.count, err);
	if (rc == 0)
		rc = json_get_string(json, "policy-digest", 64, &digest, err);
	if (rc == 0 && (!signed_policy_name_is_valid(name) ||
			hex_decode(digest, 32, 32, opened.digest.buffer, &size) < 0))
		rc = err_set(err, -EBADMSG, "%s: not as it was written", path);
	if (rc < 0)
		return rc;
	memcpy(opened.name, name, strlen(name) + 1);
	opened.digest.size = 32;
	*ret = opened;
	return 0;
}

static bool is_known(const struct config_integrity *config, const struct policy_opened *opened)
{
	struct policy_opened known;

	return policy_opened_load(config, &known, NULL) == 0 &&
	       strcmp(known.name, opened->name) == 0 && known.count == opened->count &&
	       known.generation == opened->generation &&
	       memcmp(known.digest.buffer, opened->digest.buffer, 32) == 0;
}

int policy_opened_save(const struct config_integrity *config, const struct policy_opened *opened,
		       struct err *err)
{
	_cleanup_(json_freep) cJSON *json = cJSON_CreateObject();
	_cleanup_(free_text) char *text = NULL;
	char digest[65];
	char path[PATH_MAX];
	int rc = opened_path(config, path, err);

	if (rc < 0)
		return rc;
	if (!opened->name[0])
		return unlink(path) < 0 && errno != ENOENT
			       ? err_set_errno(err, -errno, "remove %s", path)
			       : 0;
	/* Most boots open by the same policy as before: then nothing is written. */
	if (is_known(config, opened))
		return 0;
	hex_encode(span_of(opened->digest.buffer, 32), digest);
	if (!cJSON_AddStringToObject(json, "policy", opened->name) ||
	    !cJSON_AddNumberToObject(json, "generation", (double)opened->generation) ||
	    !cJSON_AddNumberToObject(json, "counter", (double)opened->count) ||
	    !cJSON_AddStringToObject(json, "policy-digest", digest))
		return err_set(err, -ENOMEM, "out of memory");
	text = cJSON_PrintUnformatted(json);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	return atomic_file_write(path, span_of_string(text), 0600, err);
}
