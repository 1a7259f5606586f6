/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/ssh_identity.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/kept_file.h"
#include "base/macros.h"
#include "onboarding/ssh_keygen.h"

#define PUBLIC_SIZE_MAX 4096

/* Where the key is. */
struct place {
	char directory[PATH_MAX];
	char name[NAME_MAX + 1];
	char public[NAME_MAX + 1];
};

static int place_of(const char *path, struct place *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const int length = slash == path ? 1 : slash ? (int)(slash - path) : 1;

	if (strlen(path) >= PATH_MAX || strlen(name) + strlen(".pub") > NAME_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	(void)snprintf(ret->directory, sizeof(ret->directory), "%.*s", length, slash ? path : ".");
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	(void)snprintf(ret->public, sizeof(ret->public), "%s.pub", name);
	return 0;
}

/* The private key is there only once it is whole, and its public half before it. */
static int make_key(const char *path, const struct place *place, struct err *err)
{
	_cleanup_(ssh_key_pair_release) struct ssh_key_pair pair = {0};
	int rc = ssh_keygen_make(path, "steward", &pair, err);

	if (rc == 0)
		rc = kept_file_write(place->directory, place->public,
				     span_of(pair.public, pair.public_size), err);
	if (rc == 0)
		rc = kept_file_write(place->directory, place->name,
				     span_of(pair.private, pair.private_size), err);
	return rc;
}

int ssh_identity_check(const char *path, struct err *err)
{
	struct place place;
	int rc = place_of(path, &place, err);

	if (rc == 0)
		rc = kept_file_check(place.directory, place.name, err);
	return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
}

int ssh_identity_provide(const char *path, uint8_t ret[SSH_KEY_ED25519_SIZE], struct err *err)
{
	struct place place;
	char *text = NULL;
	size_t size;
	int rc = place_of(path, &place, err);

	if (rc < 0)
		return rc;
	rc = kept_file_check(place.directory, place.name, err);
	if (rc == -ENOENT)
		rc = make_key(path, &place, err);
	if (rc == 0)
		rc = directory_sync(place.directory, err);
	if (rc == 0)
		rc = kept_file_read(place.directory, place.public, PUBLIC_SIZE_MAX, &text, &size,
				    err);
	if (rc == 0 && ssh_key_from_line(text, ret) < 0)
		rc = err_set(err, -EINVAL, "%s.pub: expected an ssh-ed25519 key", path);
	free(text);
	return rc;
}
