/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/host_key.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "onboarding/ssh_keygen.h"

#define PUBLIC_SIZE_MAX 1024

static void freep(char **text)
{
	free(*text);
}

/* The public half is written first. So wherever the private half is, both are. */
static int make_key(const char *path, const char *public, struct err *err)
{
	_cleanup_(ssh_key_pair_release) struct ssh_key_pair pair = {0};
	int rc = ssh_keygen_make(path, "", &pair, err);

	if (rc == 0)
		rc = atomic_file_write(public, span_of(pair.public, pair.public_size), 0644, err);
	if (rc == 0)
		rc = atomic_file_write(path, span_of(pair.private, pair.private_size), 0600, err);
	return rc;
}

static int read_public(const char *path, uint8_t ret_blob[SSH_KEY_ED25519_SIZE], struct err *err)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;
	int rc = file_read_regular(path, PUBLIC_SIZE_MAX, &text, &size, err);

	if (rc == 0 && ssh_key_from_line(text, ret_blob) < 0)
		rc = err_set(err, -EBADMSG, "%s holds no ssh-ed25519 key", path);
	return rc;
}

int host_key_ensure(const char *path, uint8_t ret_blob[SSH_KEY_ED25519_SIZE], struct err *err)
{
	char public[PATH_MAX];
	int rc;

	if ((size_t)snprintf(public, sizeof(public), "%s.pub", path) >= sizeof(public))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	if (access(path, F_OK) < 0 || access(public, F_OK) < 0) {
		rc = make_key(path, public, err);
		if (rc < 0)
			return rc;
	}
	return read_public(public, ret_blob, err);
}

int host_key_read_next(const char *path, struct host_keys *keys, struct err *err)
{
	char public[PATH_MAX];
	int rc;

	if ((size_t)snprintf(public, sizeof(public), "%s.next.pub", path) >= sizeof(public))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	if (access(public, F_OK) < 0)
		return 0;
	rc = read_public(public, keys->next, err);
	keys->has_next = rc == 0;
	return rc;
}
