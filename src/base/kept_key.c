/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/kept_key.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/hex.h"
#include "base/secret.h"

#define FOLDER "/run/steward-integrity"
#define LABEL  "steward kept files 1"

int kept_key_derive(struct span fek, uint8_t ret[KEPT_KEY_SIZE])
{
	return hkdf_sha256(HKDF_EXTRACT_AND_EXPAND, fek, span_of(NULL, 0), LABEL, ret);
}

/* directory: canonical. */
static int file_of(const char *directory, char ret[PATH_MAX])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char name[2 * 32 + 1];

	if (EVP_Digest(directory, strlen(directory), digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	hex_encode(span_of(digest, 32), name);
	(void)snprintf(ret, PATH_MAX, FOLDER "/%s", name);
	return 0;
}

static int file_for(const char *directory, char ret[PATH_MAX], struct err *err)
{
	char canonical[PATH_MAX];

	if (!realpath(directory, canonical))
		return err_set_errno(err, -errno, "find %s", directory);
	return file_of(canonical, ret) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

int kept_key_put(const char *directory, const uint8_t key[KEPT_KEY_SIZE], struct err *err)
{
	char path[PATH_MAX];
	int rc = file_for(directory, path, err);

	if (rc < 0)
		return rc;
	if (mkdir(FOLDER, 0700) < 0 && errno != EEXIST)
		return err_set_errno(err, -errno, "make " FOLDER);
	return atomic_file_write(path, span_of(key, KEPT_KEY_SIZE), 0600, err);
}

void kept_key_forget(const char *directory)
{
	char path[PATH_MAX];

	if (file_for(directory, path, NULL) == 0)
		(void)unlink(path);
}

static int read_key(const char *path, uint8_t ret[KEPT_KEY_SIZE], struct err *err)
{
	char *bytes = NULL;
	size_t size = 0;
	struct err why;
	int rc = file_read_regular(path, KEPT_KEY_SIZE, &bytes, &size, &why);

	/* No error: err stays as it is. */
	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (rc < 0)
		return err_set(err, rc, "%s", why.text);
	if (size == KEPT_KEY_SIZE) {
		secret_copy(ret, (const uint8_t *)bytes, KEPT_KEY_SIZE);
		rc = 1;
	} else {
		rc = err_set(err, -EBADMSG, "%s: expected %d bytes, found %zu", path, KEPT_KEY_SIZE,
			     size);
	}
	OPENSSL_cleanse(bytes, size);
	free(bytes);
	return rc;
}

bool kept_key_is_put(const char *directory)
{
	uint8_t key[KEPT_KEY_SIZE];
	char path[PATH_MAX];
	const bool is = file_for(directory, path, NULL) == 0 && read_key(path, key, NULL) == 1;

	OPENSSL_cleanse(key, sizeof(key));
	return is;
}

int kept_key_find(const char *directory, uint8_t ret[KEPT_KEY_SIZE], struct err *err)
{
	char canonical[PATH_MAX];
	char path[PATH_MAX];
	int rc = 0;

	/* A directory that is not there has nothing in it. */
	if (geteuid() != 0 || !realpath(directory, canonical))
		return 0;
	for (char *end = canonical + strlen(canonical); rc == 0 && end && end > canonical;
	     end = strrchr(canonical, '/')) {
		*end = '\0';
		rc = file_of(canonical, path);
		rc = rc < 0 ? err_set(err, rc, "out of memory") : read_key(path, ret, err);
	}
	return rc;
}
