/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/own_keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/atomic_file.h"

static int write_keys(const char *path, const struct sealing_keys *keys, struct err *err)
{
	uint8_t list[SEALING_LIST_MAX];
	const size_t size = sealing_keys_print(keys, SEALING_PRIVATE, list);
	int rc = atomic_file_write(path, span_of(list, size), 0600, err);

	OPENSSL_cleanse(list, sizeof(list));
	return rc;
}

static int make_keys(const char *path, struct sealing_keys *ret, struct err *err)
{
	struct sealing_keys made;
	int rc = sealing_keys_make(&made, err);

	if (rc < 0)
		return rc;
	rc = write_keys(path, &made, err);
	if (rc == 0)
		*ret = made;
	sealing_keys_release(&made);
	return rc;
}

static int complete_keys(const char *path, struct sealing_keys *keys, struct err *err)
{
	bool added = false;
	int rc = sealing_keys_complete(keys, &added, err);

	return rc == 0 && added ? write_keys(path, keys, err) : rc;
}

int own_keys_provide(const char *path, struct sealing_keys *ret, struct err *err)
{
	char *list = NULL;
	size_t size = 0;
	int rc = file_read_regular(path, SEALING_LIST_MAX, &list, &size, err);

	if (rc == -ENOENT)
		return make_keys(path, ret, err);
	if (rc < 0)
		return rc;
	rc = sealing_keys_parse(ret, span_of(list, size), SEALING_PRIVATE, err);
	OPENSSL_cleanse(list, size);
	free(list);
	if (rc < 0)
		return err_set(err, rc,
			       "%s is damaged: put it back from a copy; or remove it, and set the "
			       "secrets again that 'show authority router' names",
			       path);
	return complete_keys(path, ret, err);
}
