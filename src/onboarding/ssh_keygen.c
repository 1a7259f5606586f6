/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/ssh_keygen.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/process.h"

#define FILE_SIZE_MAX     4096
#define KEYGEN_TIMEOUT_MS 30000

static int run_keygen(const char *file, const char *comment, struct err *err)
{
	const char *const argv[] = {"ssh-keygen", "-q",    "-t", "ed25519", "-N", "",
				    "-C",         comment, "-f", file,      NULL};
	const struct process_command command = {
		.argv = argv,
		.fd = -1,
		.timeout_ms = KEYGEN_TIMEOUT_MS,
	};
	struct process_result result;
	int rc = process_run(&command, &result, err);

	if (rc == 0 && result.exit_status != 0)
		rc = err_set(err, -EIO, "ssh-keygen: exit status %d: %s", result.exit_status,
			     result.last_line);
	return rc;
}

int ssh_keygen_make(const char *path, const char *comment, struct ssh_key_pair *ret,
		    struct err *err)
{
	struct ssh_key_pair pair = {0};
	char private[PATH_MAX];
	char public[PATH_MAX];
	int rc;

	if ((size_t)snprintf(private, sizeof(private), "%s.new", path) >= sizeof(private) ||
	    (size_t)snprintf(public, sizeof(public), "%s.pub", private) >= sizeof(public))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	(void)unlink(private); /* ssh-keygen would ask whether to overwrite it */
	(void)unlink(public);
	rc = run_keygen(private, comment, err);
	if (rc == 0)
		rc = file_read_regular(public, FILE_SIZE_MAX, &pair.public, &pair.public_size, err);
	if (rc == 0)
		rc = file_read_regular(private, FILE_SIZE_MAX, &pair.private, &pair.private_size,
				       err);
	(void)unlink(private);
	(void)unlink(public);
	if (rc < 0)
		ssh_key_pair_release(&pair);
	else
		*ret = pair;
	return rc;
}

void ssh_key_pair_release(struct ssh_key_pair *pair)
{
	if (pair->private)
		explicit_bzero(pair->private, pair->private_size);
	free(pair->private);
	free(pair->public);
	*pair = (struct ssh_key_pair){0};
}
