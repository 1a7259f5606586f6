/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sealed_directory.h - one encrypted directory: made so that a power cut leaves either nothing or
 * an empty one, and removed.
 */
#pragma once

#include <sys/types.h>

#include "base/secret.h"
#include "integrity/fscrypt.h"

/* path is absent or empty. Made as <path>.new, encrypted, checked, synced, renamed into place, its
 * parent synced. Mode and owner are those of what was there, else 0700 of the caller. */
int sealed_directory_make(const char *path, const struct secret *fek,
			  uint8_t ret_identifier[FSCRYPT_IDENTIFIER_SIZE], struct failure *f);

/* Remove <path>.new, and path if it is encrypted, and what fscrypt keeps of them. Only empty ones:
 * -ENOTEMPTY with CAUSE_RECORD_LOST. A plain path stays. */
int sealed_directory_undo(const char *path, struct failure *f);

/* Remove path with all that is in it, if it is encrypted and locked, and what fscrypt keeps of it.
 * A plain path stays. */
int sealed_directory_destroy(const char *path, struct failure *f);

/* Have path, with what is above it. */
int directory_provide(const char *path, mode_t mode, struct failure *f);

/* Sync the whole filesystem of path: whatever fscrypt wrote, too, since a pin must not be older
 * than what it pins. */
int filesystem_sync(const char *path, struct failure *f);
