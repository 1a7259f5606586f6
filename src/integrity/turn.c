/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/turn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/secret.h"
#include "integrity/mounts.h"
#include "integrity/sealed_directory.h"

void turn_end(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

int turn_take(const struct config_integrity *config, int *ret_fd, struct failure *f)
{
	int rc;

	secret_protect_process();
	/* The record directory is not made where a filesystem is still to be mounted. */
	rc = access(config->record_directory, F_OK) == 0 ? 0
							 : mount_check(config->record_directory, f);
	if (rc == 0)
		rc = directory_provide(config->record_directory, 0700, f);
	if (rc < 0)
		return rc;
	*ret_fd = open(config->record_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0 || flock(*ret_fd, LOCK_EX) < 0)
		return failure_set(f, CAUSE_SYSTEM, -errno, "lock %s: %s", config->record_directory,
				   strerror(errno));
	return 0;
}
