/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/kept_contents.h"
#include "base/macros.h"
#include "base/secret.h"

#define KEPT_SIZE_MAX (4u << 20) /* more than any kept file may have */
#define ADVICE                                                                                     \
	"put it back from a copy, together with " KEPT_CONTENTS_FILE                               \
	"; if what is there now is right, have it taken in: 'stewardctl request "                  \
	"configuration-integrity reseal'"

const char *const kept_file_names[] = {
	KEPT_ROUTER_FILE,
	"onboarding.json",
	"onboarding-next.json",
	"conductor-key",
	"conductor-key.pub",
	"sealing-keys",
	NULL,
};

/* A directory in which we read or write kept files. */
struct place {
	const char *directory;
	int fd; /* locked, since several processes may keep files in the directory */
	bool has_key;
	uint8_t key[KEPT_KEY_SIZE];
	char canonical[PATH_MAX];
	struct kept_contents contents;
};

static void leave(struct place *p)
{
	OPENSSL_cleanse(p->key, sizeof(p->key));
	if (p->fd >= 0)
		(void)close(p->fd);
}

static int path_of(const char *directory, const char *name, char ret[PATH_MAX], struct err *err)
{
	if ((size_t)snprintf(ret, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", directory);
	return 0;
}

/* If the directory cannot be locked (some filesystems have no locks), its files are read all the
 * same. */
static int lock_place(struct place *p, const char *directory, int how, struct err *err)
{
	p->directory = directory;
	p->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->fd < 0)
		return err_set_errno(err, -errno, "open %s", directory);
	while (flock(p->fd, how) < 0 && errno == EINTR)
		;
	if (!realpath(directory, p->canonical))
		return err_set_errno(err, -errno, "find %s", directory);
	return 0;
}

static int load_contents(struct place *p, struct err *err)
{
	char path[PATH_MAX];
	struct err why;
	char *text = NULL;
	size_t size = 0;
	int rc = path_of(p->directory, KEPT_CONTENTS_FILE, path, err);

	if (rc < 0)
		return rc;
	rc = file_read_regular(path, KEPT_CONTENTS_SIZE_MAX, &text, &size, &why);
	/* No error: err stays as it is. */
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return err_set(err, rc, "%s", why.text);
	rc = kept_contents_parse(&p->contents, span_of(text, size), p->canonical, p->key);
	free(text);
	if (rc == -EBADMSG)
		return err_set(
			err, rc,
			"%s is not what Steward wrote there: the directory was changed while "
			"it was closed; " ADVICE,
			path);
	return rc == -ENOMEM ? err_set(err, rc, "out of memory") : rc;
}

static int enter(struct place *p, const char *directory, int how, struct err *err)
{
	int rc = lock_place(p, directory, how, err);

	if (rc == 0)
		rc = kept_key_find(directory, p->key, err);
	if (rc <= 0)
		return rc;
	p->has_key = true;
	return load_contents(p, err);
}

static int digest_of(const char *bytes, size_t size, struct kept_state *ret)
{
	ret->is_there = true;
	return EVP_Digest(bytes, size, ret->digest, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

static void wipe_free(char *bytes, size_t size)
{
	if (bytes)
		OPENSSL_cleanse(bytes, size);
	free(bytes);
}

/* ret_bytes may be NULL: then only the state is read. */
static int read_state(const char *path, size_t max, struct kept_state *ret, char **ret_bytes,
		      size_t *ret_size, struct err *err)
{
	char *bytes = NULL;
	size_t size = 0;
	int rc = file_read_regular(path, max, &bytes, &size, err);

	memset(ret, 0, sizeof(*ret));
	if (rc == 0 && digest_of(bytes, size, ret) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0 && ret_bytes) {
		*ret_bytes = bytes;
		*ret_size = size;
		return 0;
	}
	wipe_free(bytes, size);
	return rc;
}

/* Was the file written by an operator, before Steward kept any file in this directory? */
static bool is_of_a_person(const struct place *p, const char *name)
{
	if (strcmp(name, KEPT_ROUTER_FILE) != 0 || p->contents.n > 0)
		return false;
	for (size_t i = 0; kept_file_names[i]; i++) {
		char path[PATH_MAX];

		if (strcmp(kept_file_names[i], name) != 0 &&
		    (path_of(p->directory, kept_file_names[i], path, NULL) < 0 ||
		     access(path, F_OK) == 0))
			return false;
	}
	return true;
}

static int refuse(const char *path, const struct kept_state *found, struct err *err)
{
	if (!found->is_there)
		return err_set(err, -EBADMSG,
			       "%s was removed while the directory was closed: " ADVICE, path);
	return err_set(err, -EBADMSG,
		       "%s is not what Steward wrote there: it was changed, or exchanged with "
		       "another, while the directory was closed; " ADVICE,
		       path);
}

int kept_file_read(const char *directory, const char *name, size_t max, char **ret_bytes,
		   size_t *ret_size, struct err *err)
{
	_cleanup_(leave) struct place p = {.fd = -1};
	struct kept_state found = {0};
	char path[PATH_MAX];
	char *bytes = NULL;
	size_t size = 0;
	int rc = path_of(directory, name, path, err);

	if (rc == 0)
		rc = enter(&p, directory, LOCK_SH, err);
	if (rc == 0)
		rc = read_state(path, max, &found, &bytes, &size, err);
	if ((rc == 0 || rc == -ENOENT) && p.has_key &&
	    !kept_contents_allow(&p.contents, name, &found) && !is_of_a_person(&p, name))
		rc = refuse(path, &found, err);
	if (rc < 0) {
		wipe_free(bytes, size);
		return rc;
	}
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}

int kept_file_check(const char *directory, const char *name, struct err *err)
{
	char *bytes = NULL;
	size_t size = 0;
	int rc = kept_file_read(directory, name, KEPT_SIZE_MAX, &bytes, &size, err);

	if (rc == 0)
		wipe_free(bytes, size);
	return rc;
}

static int save_contents(struct place *p, struct err *err)
{
	char path[PATH_MAX];
	char text[KEPT_CONTENTS_SIZE_MAX];
	int rc = path_of(p->directory, KEPT_CONTENTS_FILE, path, err);

	if (rc < 0)
		return rc;
	if (kept_contents_print(&p->contents, p->canonical, p->key, text) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return atomic_file_write(path, span_of_string(text), 0600, err);
}

/* Once Steward keeps a file in the directory, the file that an operator wrote before is
 * authenticated, too. */
static int take_in_of_a_person(struct place *p, struct err *err)
{
	struct kept_state now;
	char path[PATH_MAX];
	int rc = path_of(p->directory, KEPT_ROUTER_FILE, path, err);

	if (rc < 0 || !is_of_a_person(p, KEPT_ROUTER_FILE))
		return rc;
	rc = read_state(path, KEPT_SIZE_MAX, &now, NULL, NULL, err);
	if (rc == 0)
		(void)kept_contents_set(&p->contents, KEPT_ROUTER_FILE, &now, NULL);
	return rc == -ENOENT ? 0 : rc;
}

/* From here on the state before and the state after are both allowed: the state before only if it
 * is allowed now. */
static int announce(struct place *p, const char *name, const char *path,
		    const struct kept_state *after, struct err *err)
{
	struct kept_state now;
	int rc = read_state(path, KEPT_SIZE_MAX, &now, NULL, NULL, NULL);
	bool is_right;

	if (rc < 0 && rc != -ENOENT)
		now = *after; /* a directory, or too long: never allowed */
	is_right = kept_contents_allow(&p->contents, name, &now);
	if (kept_contents_set(&p->contents, name, after, is_right ? &now : NULL) < 0)
		return err_set(err, -ENOSPC, "%s: too many names in " KEPT_CONTENTS_FILE, path);
	return save_contents(p, err);
}

/* After the step only its result is allowed. If the step failed, settle() is not called: both
 * states stay allowed, since the file is in one of them. */
static int settle(struct place *p, const char *name, const struct kept_state *now, struct err *err)
{
	(void)kept_contents_set(&p->contents, name, now, NULL);
	return save_contents(p, err);
}

int kept_file_write(const char *directory, const char *name, struct span content, struct err *err)
{
	_cleanup_(leave) struct place p = {.fd = -1};
	struct kept_state after = {0};
	char path[PATH_MAX];
	int rc = path_of(directory, name, path, err);

	if (rc == 0)
		rc = enter(&p, directory, LOCK_EX, err);
	if (rc == 0 && p.has_key &&
	    digest_of((const char *)content.bytes, content.size, &after) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0 && p.has_key)
		rc = take_in_of_a_person(&p, err);
	if (rc == 0 && p.has_key)
		rc = announce(&p, name, path, &after, err);
	if (rc == 0)
		rc = atomic_file_write(path, content, 0600, err);
	return rc == 0 && p.has_key ? settle(&p, name, &after, err) : rc;
}

int kept_file_remove(const char *directory, const char *name, struct err *err)
{
	_cleanup_(leave) struct place p = {.fd = -1};
	const struct kept_state absent = {0};
	char path[PATH_MAX];
	int rc = path_of(directory, name, path, err);

	if (rc == 0)
		rc = enter(&p, directory, LOCK_EX, err);
	if (rc == 0 && p.has_key && access(path, F_OK) == 0)
		rc = announce(&p, name, path, &absent, err);
	if (rc == 0 && unlink(path) < 0)
		rc = err_set_errno(err, -errno, "remove %s", path);
	if (rc == 0)
		rc = directory_sync(directory, err);
	return rc == 0 && p.has_key ? settle(&p, name, &absent, err) : rc;
}

int kept_files_take_in(const char *directory, const char *encrypted,
		       const uint8_t key[KEPT_KEY_SIZE], struct err *err)
{
	_cleanup_(leave) struct place p = {.fd = -1};
	int rc = lock_place(&p, directory, LOCK_EX, err);

	secret_copy(p.key, key, KEPT_KEY_SIZE);
	for (size_t i = 0; rc == 0 && kept_file_names[i]; i++) {
		struct kept_state now;
		char path[PATH_MAX];

		rc = path_of(directory, kept_file_names[i], path, err);
		if (rc == 0)
			rc = read_state(path, KEPT_SIZE_MAX, &now, NULL, NULL, err);
		if (rc == -ENOENT)
			rc = 0;
		if (rc == 0)
			(void)kept_contents_set(&p.contents, kept_file_names[i], &now, NULL);
	}
	if (rc == 0)
		rc = save_contents(&p, err);
	return rc == 0 ? kept_key_put(encrypted, key, err) : rc;
}
