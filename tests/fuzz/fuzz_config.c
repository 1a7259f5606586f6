/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A configuration that somebody wrote: taken whole, or refused with a reason. */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("steward.json", MFD_CLOEXEC);
	char path[64];
	struct config *config = NULL;
	struct err err = {0};

	HOLDS(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_load(&config, path, CONFIG_ANY, &err) < 0)
		HOLDS(!config && err.text[0]);
	else
		HOLDS(config->name && config->node && config->text);
	config_free(config);
	(void)close(fd);
	return 0;
}
