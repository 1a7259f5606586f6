/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fscrypt_key.h - unwraps a directory's key and gives it to the kernel, as `fscrypt unlock` does,
 * but without a process for each directory.
 *
 * The tool's metadata are not changed: afterwards fscrypt status, lock and unlock work as if the
 * tool had done it. Metadata that are not as the tool makes them for a raw key are left to the
 * tool.
 */
#pragma once

#include "base/secret.h"
#include "integrity/fscrypt.h"

/* As fscrypt_unlock(). All memory of the caller must be locked. An error only means that the
 * directory was not opened here: the tool may open it, or say why not. */
int fscrypt_key_add(const char *path, const uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE],
		    const struct secret *fek, struct failure *f);
