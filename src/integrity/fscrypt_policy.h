/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fscrypt_policy.h - what the kernel says of a directory's encryption: policy and key.
 *
 * Reads only. See Documentation/filesystems/fscrypt.rst of the kernel.
 */
#pragma once

#include <linux/fscrypt.h>
#include <stdbool.h>
#include <stdint.h>

#include "integrity/failure.h"

enum fscrypt_kind {
	FSCRYPT_KIND_PLAIN,
	FSCRYPT_KIND_OURS,
	FSCRYPT_KIND_OTHER, /* another version or other modes */
};

struct fscrypt_encryption {
	enum fscrypt_kind kind;
	unsigned version, contents, filenames; /* of what is encrypted; 0 = the kernel knows none */
	/* For FSCRYPT_KIND_OURS: */
	uint8_t identifier[FSCRYPT_KEY_IDENTIFIER_SIZE];
	unsigned key_status; /* FSCRYPT_KEY_STATUS_* */
};

/* A descriptor, to be closed, of what path itself is, or a failure of CAUSE_DIRECTORY_MISSING (also
 * no directory: -ENOTDIR), CAUSE_DIRECTORY_SYMLINK (-ELOOP), or CAUSE_SYSTEM. */
int fscrypt_open(const char *path, struct failure *f);

/* path: for the message. */
int fscrypt_policy_read(int fd, const char *path, struct fscrypt_encryption *ret,
			struct failure *f);

/* The filesystem of fd knows encryption, and it is switched on. */
bool fscrypt_policy_possible(int fd);

/* Names of a locked directory count too: the kernel lists them in a form without the key. */
int fscrypt_read_empty(int fd, const char *path, bool *ret, struct failure *f);
