/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/sealing_file.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

static int write_keys(const struct sealing_file *file, const struct sealing_keys *keys,
		      struct err *err)
{
	uint8_t list[SEALING_LIST_MAX];
	const size_t size = sealing_keys_print(keys, SEALING_PRIVATE, list);
	int rc = file->write(file->at, span_of(list, size), err);

	OPENSSL_cleanse(list, sizeof(list));
	return rc;
}

static int read_keys(const struct sealing_file *file, struct sealing_keys *ret, struct err *err)
{
	char *list = NULL;
	size_t size = 0;
	int rc = file->read(file->at, &list, &size, err);

	if (rc < 0)
		return rc;
	rc = sealing_keys_parse(ret, span_of(list, size), SEALING_PRIVATE, err);
	OPENSSL_cleanse(list, size);
	free(list);
	if (rc < 0)
		return err_set(err, rc, "%s%s is damaged: put it back from a copy; or %s", file->at,
			       file->name, file->remedy);
	return 0;
}

int sealing_file_provide(const struct sealing_file *file, struct sealing_keys *ret, struct err *err)
{
	struct sealing_keys keys = {0};
	bool must_write = false;
	int rc = read_keys(file, &keys, err);

	if (rc == -ENOENT) {
		must_write = true;
		rc = sealing_keys_make(&keys, err);
	} else if (rc == 0) {
		rc = sealing_keys_complete(&keys, &must_write, err);
	}
	if (rc == 0 && must_write)
		rc = write_keys(file, &keys, err);
	if (rc == 0)
		*ret = keys;
	sealing_keys_release(&keys);
	return rc;
}
