/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/own_keys.h"

#include "base/atomic_file.h"
#include "onboarding/sealing_file.h"

static int read_file(const char *path, char **ret, size_t *ret_size, struct err *err)
{
	return file_read_regular(path, SEALING_LIST_MAX, ret, ret_size, err);
}

static int write_file(const char *path, struct span list, struct err *err)
{
	return atomic_file_write(path, list, 0600, err);
}

int own_keys_provide(const char *path, struct sealing_keys *ret, struct err *err)
{
	const struct sealing_file file = {
		.at = path,
		.name = "",
		.remedy = "remove it, and set the secrets again that 'show authority router' names",
		.read = read_file,
		.write = write_file,
	};

	return sealing_file_provide(&file, ret, err);
}
