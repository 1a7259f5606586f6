/* fscrypt_key.h - a directory's key, unwrapped here and given to the kernel: what fscrypt unlock
 * does, without a process for each directory.
 *
 * The metadata stay the tool's, and are as true afterwards: fscrypt status, lock and unlock find
 * what they would have found. What is not as the tool makes it for a raw key is left to the tool.
 */
#pragma once

#include "base/secret.h"
#include "integrity/fscrypt.h"

/* As fscrypt_unlock(). All memory of the caller is locked. An error says nothing of the
 * directory but that it is not opened: the tool may, or has the words for why not. */
int fscrypt_key_add(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		    const struct secret *fek, struct failure *f);
