/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fscrypt.h - directories encrypted by Linux, through the fscrypt tool in raw-key mode.
 *
 * The tool is never believed alone: what it did is read back from the kernel. The FEK reaches it
 * as --key=/proc/self/fd/N, a memfd of 32 bytes whose pages are locked (a pipe is refused by it);
 * never as an argument, in the environment, or in a file on disk or tmpfs.
 *
 * A policy is ours when it is version 2, AES-256-XTS for contents and AES-256-CTS for names.
 * Its key identifier is a one-way function of the directory's key (kernel, fscrypt.rst).
 *
 * Errors are failures with their cause: CAUSE_DIRECTORY_*, CAUSE_METADATA_MISSING,
 * CAUSE_FSCRYPT_MISSING (exec error), CAUSE_FSCRYPT_REFUSED (exit status and all that it said),
 * CAUSE_SYSTEM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "integrity/failure.h"

#define FSCRYPT_FEK_SIZE        32
#define FSCRYPT_IDENTIFIER_SIZE 16

enum fscrypt_state {
	FSCRYPT_ABSENT,
	FSCRYPT_PLAIN,
	FSCRYPT_FOREIGN, /* encrypted, but not version 2 with our modes */
	FSCRYPT_LOCKED,
	FSCRYPT_UNLOCKED,
};

struct fscrypt_directory {
	enum fscrypt_state state;
	bool empty;                                  /* of what is there */
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE]; /* of LOCKED and UNLOCKED */
};

/* Paths are absolute. */

/* What path is, opened with O_NOFOLLOW | O_DIRECTORY. An error is a symlink, no directory, or
 * CAUSE_SYSTEM. */
int fscrypt_inspect(const char *path, struct fscrypt_directory *ret, struct failure *f);

/* Whether the filesystem that path is, or would be, on can encrypt. -EOPNOTSUPP with the reason:
 * not ext4 or f2fs, without "encrypt" (both of CAUSE_NONE, the sentence stands alone), fscrypt not
 * installed (CAUSE_FSCRYPT_MISSING). Changes nothing. */
int fscrypt_possible(const char *path, struct failure *f);

/* Have fscrypt's own files: /etc/fscrypt.conf and .fscrypt of path's filesystem. */
int fscrypt_setup(const char *path, struct failure *f);

/* Encrypt path, an empty directory that is there, with fek as its raw protector's key, lock it and
 * unlock it again to prove that, and leave it unlocked and synced (fscrypt 0.3.3 does not sync: a
 * power cut would leave it plain). Whatever else is wrong with it, -ENOTEMPTY (CAUSE_SYSTEM) or
 * -EEXIST (CAUSE_DIRECTORY_FOREIGN: encrypted already) leave it as it was. */
int fscrypt_encrypt(const char *path, const struct secret *fek,
		    uint8_t ret_identifier[FSCRYPT_IDENTIFIER_SIZE], struct failure *f);

/* path must be there, ours, and of this identifier: CAUSE_DIRECTORY_* otherwise. *ret_unlocked
 * says whether its key is present. */
int fscrypt_check(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		  bool *ret_unlocked, struct failure *f);

/* Add path's key to the kernel. Before and after, path is checked as above. */
int fscrypt_unlock(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		   const struct secret *fek, struct failure *f);

/* Take path's key from the kernel. -EBUSY with CAUSE_SYSTEM while files in it are open: then it is
 * only partly locked. Of a locked one: nothing to do. */
int fscrypt_lock(const char *path, struct failure *f);

/* Remove what fscrypt keeps of the policy with this identifier, and its protector, on path's
 * filesystem; a protector that other policies need stays. Nothing there: nothing to do. */
int fscrypt_forget(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		   struct failure *f);
