/* kept_file.h - what Steward itself keeps in an encrypted directory: it is read only as it was
 * written, under the name that it was written under.
 *
 * fscrypt encrypts contents and names, and authenticates neither: who has the disk can exchange two
 * names, or remove one, without any key. So "contents.mac" beside the files says what each is:
 *
 *	steward-contents 1 <HMAC-SHA256 of "steward-contents 1" 0x00 directory 0x00 lines>
 *	<SHA-256 of the file, or "absent"> <name>
 *
 * A file that is being written or removed has two lines, for before and after, so that a power cut
 *at any step leaves what verifies: the lines first, then the file, then the line of after alone. A
 *name without a line is absent. Without a contents.mac all of kept_file_names are, but for a
 *router.json beside which there is none of them: an operator has written that, before Steward kept
 *anything there. It is authenticated once Steward does.
 *
 * Where no key was handed over (kept_key.h) it is an ordinary directory, without all this.
 *
 * directory: where the file is. -EBADMSG: it is not what was written there, and what to do about
 *it; else the errors of reading, of writing; -ENOENT: it is absent, and may be.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/kept_key.h"
#include "base/span.h"

#define KEPT_CONTENTS_FILE "contents.mac"
#define KEPT_ROUTER_FILE   "router.json"

/* What Steward keeps, up to NULL: what a person has put beside it is the person's. */
extern const char *const kept_file_names[];

/* The caller frees, and wipes, *ret_bytes. */
int kept_file_read(const char *directory, const char *name, size_t max, char **ret_bytes,
		   size_t *ret_size, struct err *err);
/* For who has another program read it. */
int kept_file_check(const char *directory, const char *name, struct err *err);
/* Whole or not at all, with mode 0600. */
int kept_file_write(const char *directory, const char *name, struct span content, struct err *err);
/* For good; -ENOENT: it was not there. */
int kept_file_remove(const char *directory, const char *name, struct err *err);

/* All that Steward keeps in it is right from here on as it is now, and the key handed over for
 * encrypted, which directory is or is in. */
int kept_files_take_in(const char *directory, const char *encrypted,
		       const uint8_t key[KEPT_KEY_SIZE], struct err *err);
