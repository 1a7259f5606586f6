/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/contents.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/kept_file.h"

bool contents_are_handed_over(const struct seal_record *record)
{
	for (size_t i = 0; i < record->n_directories; i++)
		if (record->directories[i].keeps && !kept_key_is_put(record->directories[i].path))
			return false;
	return true;
}

static int put(const char *path, const uint8_t key[KEPT_KEY_SIZE], struct failure *f)
{
	return kept_key_put(path, key, &f->err) < 0 ? failure_because(f, CAUSE_SYSTEM) : 0;
}

int contents_hand_over(const struct seal_record *record, const uint8_t key[KEPT_KEY_SIZE],
		       struct failure *f)
{
	for (size_t i = 0; i < record->n_directories; i++) {
		const struct seal_directory *directory = &record->directories[i];
		int rc = 0;

		if (directory->keeps)
			rc = put(directory->path, key, f);
		else
			kept_key_forget(directory->path);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_within(const char *path, const char *directory)
{
	char outer[PATH_MAX];
	char inner[PATH_MAX];
	size_t length;

	if (!path || !realpath(directory, outer) || !realpath(path, inner))
		return false;
	length = strlen(outer);
	return strncmp(inner, outer, length) == 0 && (!inner[length] || inner[length] == '/');
}

static int take_in(const char *secrets, struct seal_directory *directory,
		   const uint8_t key[KEPT_KEY_SIZE], struct failure *f)
{
	bool is_open = false;
	int rc = fscrypt_check(directory->path, directory->identifier, &is_open, f);

	if (rc < 0 || !is_open)
		return rc;
	if (!is_within(secrets, directory->path))
		rc = put(directory->path, key, f);
	else if (kept_files_take_in(secrets, directory->path, key, &f->err) < 0)
		rc = failure_because(f, CAUSE_SYSTEM);
	directory->keeps |= rc == 0;
	return rc;
}

int contents_take_in_moved(const struct config_integrity *config, const char *path,
			   struct failure *f)
{
	uint8_t key[KEPT_KEY_SIZE];
	int rc;

	if (!is_within(config->secrets_directory, path))
		return 0;
	rc = kept_key_find(path, key, &f->err);
	if (rc > 0)
		rc = kept_files_take_in(config->secrets_directory, path, key, &f->err);
	explicit_bzero(key, sizeof(key));
	return rc < 0 ? failure_because(f, CAUSE_SYSTEM) : 0;
}

int contents_take_in(const struct config_integrity *config, struct seal_record *record,
		     const uint8_t key[KEPT_KEY_SIZE], struct failure *f)
{
	for (size_t i = 0; i < record->n_directories; i++) {
		int rc = take_in(config->secrets_directory, &record->directories[i], key, f);

		if (rc < 0)
			return rc;
	}
	return 0;
}
