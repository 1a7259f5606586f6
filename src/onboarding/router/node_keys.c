/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/node_keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/kept_file.h"

static int write_keys(const char *directory, const struct sealing_keys *keys, struct err *err)
{
	uint8_t list[SEALING_LIST_MAX];
	const size_t size = sealing_keys_print(keys, SEALING_PRIVATE, list);
	int rc = kept_file_write(directory, NODE_KEYS_FILE, span_of(list, size), err);

	OPENSSL_cleanse(list, sizeof(list));
	return rc;
}

static int make_keys(const char *directory, struct sealing_keys *ret, struct err *err)
{
	struct sealing_keys made;
	int rc = sealing_keys_make(&made, err);

	if (rc < 0)
		return rc;
	rc = write_keys(directory, &made, err);
	if (rc == 0)
		*ret = made;
	sealing_keys_release(&made);
	return rc;
}

/* Values that were sealed to those that were there before open still. */
static int complete_keys(const char *directory, struct sealing_keys *keys, struct err *err)
{
	bool added = false;
	int rc = sealing_keys_complete(keys, &added, err);

	return rc == 0 && added ? write_keys(directory, keys, err) : rc;
}

int node_keys_provide(const char *directory, struct sealing_keys *ret, struct err *err)
{
	char *list = NULL;
	size_t size = 0;
	int rc = kept_file_read(directory, NODE_KEYS_FILE, SEALING_LIST_MAX, &list, &size, err);

	if (rc == -ENOENT)
		return make_keys(directory, ret, err);
	if (rc < 0)
		return rc;
	rc = sealing_keys_parse(ret, span_of(list, size), SEALING_PRIVATE, err);
	OPENSSL_cleanse(list, size);
	free(list);
	if (rc < 0)
		return err_set(err, rc,
			       "%s/" NODE_KEYS_FILE " is damaged: put it back from a copy; or "
			       "remove it, and have the conductor's operator set the secrets again",
			       directory);
	rc = complete_keys(directory, ret, err);
	if (rc < 0)
		sealing_keys_release(ret);
	return rc;
}
