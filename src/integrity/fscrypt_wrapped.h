/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fscrypt_wrapped.h - a directory's key, as the fscrypt tool wraps it, unwrapped. Pure.
 *
 * A policy's file has the directory's key, wrapped once for each of its protectors; a protector's
 * file has that one's key, for a raw key wrapped by the FEK. Both files are messages of the tool's
 * metadata.proto:
 *
 *	PolicyData     3 WrappedPolicyKey (repeated): 1 descriptor, 2 WrappedKeyData
 *	ProtectorData  2 source (3 = raw key), 7 WrappedKeyData
 *	WrappedKeyData 1 IV, 2 encrypted key, 3 HMAC
 *
 * The key that wraps gives two by HKDF-SHA256 without salt: one encrypts (AES-256-CTR), one
 * authenticates IV and what is encrypted (HMAC-SHA256).
 *
 * Whoever calls has all of its memory locked: OpenSSL keeps copies. What does not look as expected
 * is no error of the file: the tool may know better.
 */
#pragma once

#include "base/span.h"
#include "integrity/fscrypt.h"
#include "integrity/fscrypt_metadata.h"

#define FSCRYPT_DIRECTORY_KEY_SIZE 64

/* One directory's key, wrapped by one protector's. The spans are of the file. */
struct fscrypt_wrapped {
	char descriptor[FSCRYPT_DESCRIPTOR_SIZE + 1];
	struct span iv, encrypted, hmac;
};

/* Reads from a policy's file how the i-th of its protectors wraps the key. -ENOENT: there is no
 * i-th; -EBADMSG. */
int fscrypt_wrapped_by(struct span policy, size_t i, struct fscrypt_wrapped *ret);

/* protector: the file of the one that w names. -EOPNOTSUPP: it is not of a raw key; -EBADMSG: not
 * as expected; -EKEYREJECTED: not wrapped by this FEK, or changed since; -EIO: OpenSSL. */
int fscrypt_unwrap(const struct fscrypt_wrapped *w, struct span protector,
		   const uint8_t fek[FSCRYPT_FEK_SIZE], uint8_t ret[FSCRYPT_DIRECTORY_KEY_SIZE]);
