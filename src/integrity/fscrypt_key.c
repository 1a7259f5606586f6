/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/fscrypt_key.h"

#include <errno.h>
#include <linux/fscrypt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/macros.h"
#include "base/secret.h"
#include "integrity/fscrypt_metadata.h"
#include "integrity/fscrypt_policy.h"
#include "integrity/fscrypt_wrapped.h"

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static void free_bytes(char **bytes)
{
	free(*bytes);
}

static int unwrap_by(const struct fscrypt_metadata *m, const struct fscrypt_wrapped *w,
		     const struct secret *fek, uint8_t ret[FSCRYPT_DIRECTORY_KEY_SIZE])
{
	_cleanup_(free_bytes) char *protector = NULL;
	struct err err;
	size_t size;
	int rc = fscrypt_metadata_read(m, FSCRYPT_PROTECTORS, w->descriptor, &protector, &size,
				       &err);

	return rc < 0 ? rc : fscrypt_unwrap(w, span_of(protector, size), fek->bytes, ret);
}

/* Unwraps the directory's key by the first of its protectors that works. */
static int unwrap(const struct fscrypt_metadata *m, const char *policy, const struct secret *fek,
		  uint8_t ret[FSCRYPT_DIRECTORY_KEY_SIZE], struct failure *f)
{
	_cleanup_(free_bytes) char *bytes = NULL;
	struct fscrypt_wrapped w;
	size_t size;
	int why = -ENOENT;
	int rc = fscrypt_metadata_read(m, FSCRYPT_POLICIES, policy, &bytes, &size, &f->err);

	if (rc < 0)
		return failure_because(f, CAUSE_METADATA_MISSING);
	for (size_t i = 0; i < FSCRYPT_N_PROTECTORS; i++) {
		if (fscrypt_wrapped_by(span_of(bytes, size), i, &w) < 0)
			break;
		why = unwrap_by(m, &w, fek, ret);
		if (why == 0)
			return 0;
	}
	return failure_set(f, CAUSE_FSCRYPT_REFUSED, why,
			   "the key of policy %s is not unwrapped without the tool: %s", policy,
			   strerror(-why));
}

static void remove_key(int fd, const struct fscrypt_key_specifier *key)
{
	struct fscrypt_remove_key_arg removal = {.key_spec = *key};

	(void)ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY, &removal);
}

/* The identifier that the kernel makes of the key must be the directory's. */
static int give_to_kernel(int fd, const char *path,
			  const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
			  const uint8_t key[FSCRYPT_DIRECTORY_KEY_SIZE], struct failure *f)
{
	union {
		struct fscrypt_add_key_arg arg;
		uint8_t bytes[sizeof(struct fscrypt_add_key_arg) + FSCRYPT_DIRECTORY_KEY_SIZE];
	} addition = {.arg = {.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER,
			      .raw_size = FSCRYPT_DIRECTORY_KEY_SIZE}};
	int rc;

	secret_copy(addition.arg.raw, key, FSCRYPT_DIRECTORY_KEY_SIZE);
	rc = ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, &addition.arg) < 0 ? -errno : 0;
	explicit_bzero(addition.arg.raw, FSCRYPT_DIRECTORY_KEY_SIZE);
	if (rc < 0)
		return failure_set(f, CAUSE_SYSTEM, rc, "give the key of %s to the kernel: %s",
				   path, strerror(-rc));
	if (memcmp(addition.arg.key_spec.u.identifier, identifier, FSCRYPT_IDENTIFIER_SIZE) == 0)
		return 0;
	remove_key(fd, &addition.arg.key_spec);
	return failure_set(f, CAUSE_FSCRYPT_REFUSED, -EKEYREJECTED,
			   "fscrypt's metadata have another key for %s", path);
}

int fscrypt_key_add(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		    const struct secret *fek, struct failure *f)
{
	_cleanup_(close_fd) int fd = -1;
	uint8_t key[FSCRYPT_DIRECTORY_KEY_SIZE];
	char policy[FSCRYPT_POLICY_SIZE + 1];
	struct fscrypt_metadata m;
	bool unlocked = false;
	int rc = fscrypt_check(path, identifier, &unlocked, f);

	if (rc < 0 || unlocked)
		return rc;
	hex_encode(span_of(identifier, FSCRYPT_IDENTIFIER_SIZE), policy);
	rc = fscrypt_metadata_find(&m, path, f);
	if (rc == 0)
		rc = fscrypt_metadata_check(&m, policy, f);
	if (rc == 0)
		rc = unwrap(&m, policy, fek, key, f);
	if (rc == 0)
		fd = rc = fscrypt_open(path, f);
	if (rc >= 0)
		rc = give_to_kernel(fd, path, identifier, key, f);
	explicit_bzero(key, sizeof(key));
	return rc;
}
