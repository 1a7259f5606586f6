/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/node_keys.h"

#include "base/kept_file.h"
#include "onboarding/sealing_file.h"

static int read_file(const char *directory, char **ret, size_t *ret_size, struct err *err)
{
	return kept_file_read(directory, NODE_KEYS_FILE, SEALING_LIST_MAX, ret, ret_size, err);
}

static int write_file(const char *directory, struct span list, struct err *err)
{
	return kept_file_write(directory, NODE_KEYS_FILE, list, err);
}

int node_keys_provide(const char *directory, struct sealing_keys *ret, struct err *err)
{
	const struct sealing_file file = {
		.at = directory,
		.name = "/" NODE_KEYS_FILE,
		.remedy = "remove it, and have the conductor's operator set the secrets again",
		.read = read_file,
		.write = write_file,
	};

	return sealing_file_provide(&file, ret, err);
}
