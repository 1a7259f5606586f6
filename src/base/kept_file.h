/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kept_file.h - the files that Steward keeps in an encrypted directory: they are read only as
 * they were written, under the name under which they were written.
 *
 * fscrypt encrypts contents and names, but authenticates neither: somebody who has the disk can
 * exchange two names, or remove one, without any key. So "contents.mac" beside the files says
 * what each of them is:
 *
 *	steward-contents 1 <HMAC-SHA256 of "steward-contents 1" 0x00 directory 0x00 lines>
 *	<SHA-256 of the file, or "absent"> <name>
 *
 * Before a file is written or removed, two lines are written for it, of before and of after; then
 * the file; then only the line of after. So whatever a power cut leaves is valid. A name without
 * a line counts as absent. If there is no contents.mac, all of kept_file_names count as absent.
 * One exception: a router.json beside which there is none of the others was written by an
 * operator before Steward kept anything there. It is read, and authenticated as soon as Steward
 * keeps a file.
 *
 * If no key was handed over (kept_key.h), the directory is an ordinary one, without all this.
 *
 * directory: where the file is. -EBADMSG: the file is not what was written there; the message
 * says what to do. -ENOENT: it is absent, as it should be. Else the errors of reading and
 * writing.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/kept_key.h"
#include "base/span.h"

#define KEPT_CONTENTS_FILE "contents.mac"
#define KEPT_ROUTER_FILE   "router.json"

/* The names of the files that Steward keeps, up to NULL. Other files in the directory belong to
 * the operator. */
extern const char *const kept_file_names[];

/* The caller frees, and wipes, *ret_bytes. */
int kept_file_read(const char *directory, const char *name, size_t max, char **ret_bytes,
		   size_t *ret_size, struct err *err);
/* Checks a file that another program is going to read. */
int kept_file_check(const char *directory, const char *name, struct err *err);
/* Whole or not at all, with mode 0600. */
int kept_file_write(const char *directory, const char *name, struct span content, struct err *err);
/* Removes the file, synced. -ENOENT: it was not there. */
int kept_file_remove(const char *directory, const char *name, struct err *err);

/* Accepts all files that Steward keeps in directory as they are now, and hands over the key for
 * `encrypted`, the encrypted directory that directory is or is in. */
int kept_files_take_in(const char *directory, const char *encrypted,
		       const uint8_t key[KEPT_KEY_SIZE], struct err *err);
