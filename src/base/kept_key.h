/* kept_key.h - the key that kept files (kept_file.h) are authenticated with, from who opens an
 * encrypted directory to who keeps files in it.
 *
 * It is derived from the key that opens the directory, which nobody gets by it, and lies for one
 * boot in /run/steward-integrity: a file for each encrypted directory, root's alone. Not in the
 * kernel's keyring: root's there is one for all mount namespaces and containers of a machine, while
 * a /run is of the system whose directory it is. /run may be swapped out: who reads this key from a
 * stolen swap still cannot write into an encrypted directory, since for that he needs the other.
 *
 * A directory that no key is there for, and none for one that it is in, is an ordinary one.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/hkdf.h"

#define KEPT_KEY_SIZE HKDF_SIZE

/* Of the key that opens the directories. In memory that the caller wipes. -ENOMEM. */
int kept_key_derive(struct span fek, uint8_t ret[KEPT_KEY_SIZE]);

/* For what is kept in directory and below: hand over, take back, see whether it was. -ENOENT: there
 * is no such directory; else the errors of writing it. */
int kept_key_put(const char *directory, const uint8_t key[KEPT_KEY_SIZE], struct err *err);
void kept_key_forget(const char *directory);
bool kept_key_is_put(const char *directory);

/* For directory, or what it is in. 1: there is one; 0: none; negative errno: it is not as it was
 * written, or out of memory. Other users than root have none. */
int kept_key_find(const char *directory, uint8_t ret[KEPT_KEY_SIZE], struct err *err);
