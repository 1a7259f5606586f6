/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/fscrypt_metadata.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"
#include "integrity/mounts.h"

#define FILE_MAX_BYTES 65536
#define CONF_MAX_BYTES 65536

static void close_directory(DIR **directory)
{
	if (*directory)
		(void)closedir(*directory);
}

static void free_string(char **string)
{
	free(*string);
}

int fscrypt_metadata_find(struct fscrypt_metadata *m, const char *path, struct failure *f)
{
	return mount_of(path, m->mount, f);
}

/* "" for "/", so that a path does not begin with two slashes. */
static const char *prefix(const struct fscrypt_metadata *m)
{
	return m->mount[1] == '\0' ? "" : m->mount;
}

static void file_of(const struct fscrypt_metadata *m, const char *folder, const char *name,
		    char ret[PATH_MAX])
{
	(void)snprintf(ret, PATH_MAX, "%s/.fscrypt/%s%s", prefix(m), folder, name);
}

static bool has(const struct fscrypt_metadata *m, const char *folder, const char *name)
{
	char path[PATH_MAX];

	file_of(m, folder, name, path);
	return access(path, F_OK) == 0;
}

bool fscrypt_metadata_is_set_up(const struct fscrypt_metadata *m)
{
	return has(m, "policies", "") && has(m, "protectors", "");
}

bool fscrypt_metadata_has_policy(const struct fscrypt_metadata *m, const char *policy)
{
	return has(m, FSCRYPT_POLICIES, policy);
}

int fscrypt_metadata_read(const struct fscrypt_metadata *m, const char *folder, const char *name,
			  char **ret, size_t *ret_size, struct err *err)
{
	char path[PATH_MAX];

	file_of(m, folder, name, path);
	return file_read(path, FILE_MAX_BYTES, ret, ret_size, err);
}

static bool names(const struct fscrypt_protectors *p, const char *descriptor)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->descriptor[i], descriptor) == 0)
			return true;
	return false;
}

/* A descriptor is a string in field 1: tag 0x0a, length 16, hex digits. */
static bool is_descriptor(const char *at)
{
	if (at[0] != 0x0a || at[1] != FSCRYPT_DESCRIPTOR_SIZE)
		return false;
	for (size_t i = 0; i < FSCRYPT_DESCRIPTOR_SIZE; i++)
		if (hex_value(at[2 + i]) < 0)
			return false;
	return true;
}

/* Which protectors the policy's file names. */
static int read_protectors(const struct fscrypt_metadata *m, const char *policy,
			   struct fscrypt_protectors *ret, struct failure *f)
{
	_cleanup_(free_string) char *bytes = NULL;
	struct fscrypt_protectors found = {0};
	size_t size;
	int rc = fscrypt_metadata_read(m, FSCRYPT_POLICIES, policy, &bytes, &size, &f->err);

	if (rc < 0)
		return failure_because(f, rc == -ENOENT ? CAUSE_METADATA_MISSING : CAUSE_SYSTEM);
	for (size_t i = 0; i + 2 + FSCRYPT_DESCRIPTOR_SIZE <= size; i++) {
		if (found.n < FSCRYPT_N_PROTECTORS && is_descriptor(bytes + i)) {
			memcpy(found.descriptor[found.n], bytes + i + 2, FSCRYPT_DESCRIPTOR_SIZE);
			found.n++;
		}
	}
	*ret = found;
	return 0;
}

static bool has_protector(const struct fscrypt_metadata *m, const char *descriptor)
{
	char link[FSCRYPT_DESCRIPTOR_SIZE + sizeof(".link")];

	(void)snprintf(link, sizeof(link), "%s.link", descriptor);
	return has(m, FSCRYPT_PROTECTORS, descriptor) || has(m, FSCRYPT_PROTECTORS, link);
}

int fscrypt_metadata_check(const struct fscrypt_metadata *m, const char *policy, struct failure *f)
{
	struct fscrypt_protectors wanted = {0};
	int rc;

	if (access(FSCRYPT_CONF, F_OK) < 0)
		return failure_set(f, CAUSE_FSCRYPT_NOT_SET_UP, -ENOENT,
				   FSCRYPT_CONF " is not there");
	if (!fscrypt_metadata_is_set_up(m))
		return failure_set(f, CAUSE_METADATA_MISSING, -ENOENT,
				   "%s/.fscrypt is not there, or not whole", prefix(m));
	rc = read_protectors(m, policy, &wanted, f);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < wanted.n; i++)
		if (has_protector(m, wanted.descriptor[i]))
			return 0;
	return failure_set(f, CAUSE_METADATA_MISSING, -ENOENT,
			   "%s/.fscrypt has no protector of policy %s", prefix(m), policy);
}

static void drop(struct fscrypt_protectors *p, size_t i)
{
	p->n--;
	memmove(p->descriptor[i], p->descriptor[i + 1], (p->n - i) * sizeof(p->descriptor[0]));
}

static void drop_shared(struct fscrypt_protectors *ours, const struct fscrypt_protectors *others)
{
	for (size_t i = ours->n; i-- > 0;)
		if (names(others, ours->descriptor[i]))
			drop(ours, i);
}

static void drop_absent(struct fscrypt_protectors *ours, const struct fscrypt_metadata *m)
{
	for (size_t i = ours->n; i-- > 0;)
		if (!has(m, FSCRYPT_PROTECTORS, ours->descriptor[i]))
			drop(ours, i);
}

int fscrypt_metadata_own_protectors(const struct fscrypt_metadata *m, const char *policy,
				    struct fscrypt_protectors *ret, struct failure *f)
{
	_cleanup_(close_directory) DIR *policies = NULL;
	struct fscrypt_protectors ours = {0};
	struct fscrypt_protectors others = {0};
	char path[PATH_MAX];
	int rc;

	rc = read_protectors(m, policy, &ours, f);
	if (rc < 0)
		return rc;
	file_of(m, "policies", "", path);
	policies = opendir(path);
	if (!policies)
		return failure_set(f, CAUSE_SYSTEM, -errno, "list %s: %s", path, strerror(errno));
	for (struct dirent *entry = readdir(policies); entry; entry = readdir(policies)) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, policy) == 0)
			continue;
		rc = read_protectors(m, entry->d_name, &others, f);
		if (rc < 0 && f->cause != CAUSE_METADATA_MISSING)
			return rc;
		if (rc == 0)
			drop_shared(&ours, &others);
	}
	drop_absent(&ours, m);
	*ret = ours;
	return 0;
}

int fscrypt_metadata_sync(const struct fscrypt_metadata *m, struct failure *f)
{
	static const char *const folders[] = {"policies", "protectors", ""};
	char path[PATH_MAX];

	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		file_of(m, folders[i], "", path);
		if (directory_sync(path, &f->err) < 0)
			return failure_because(f, CAUSE_SYSTEM);
	}
	if (directory_sync(m->mount, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	return 0;
}

int fscrypt_conf_sync(struct failure *f)
{
	int fd = open(FSCRYPT_CONF, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		(void)close(fd);
	if (rc < 0)
		return failure_set(f, CAUSE_SYSTEM, rc, "sync " FSCRYPT_CONF ": %s", strerror(-rc));
	return directory_sync("/etc", &f->err) < 0 ? failure_because(f, CAUSE_SYSTEM) : 0;
}

bool fscrypt_conf_is_whole(void)
{
	char *text = NULL;
	cJSON *json = NULL;
	struct err err;
	size_t size;
	bool whole = file_read(FSCRYPT_CONF, CONF_MAX_BYTES, &text, &size, &err) == 0 &&
		     json_parse(&json, span_of(text, size), CONF_MAX_BYTES, &err) == 0;

	cJSON_Delete(json);
	free(text);
	return whole;
}
