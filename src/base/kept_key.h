/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kept_key.h - the key that authenticates kept files (kept_file.h): handed over by the process
 * that opens an encrypted directory to those that keep files in it.
 *
 * It is derived from the key that opens the directory, but does not reveal it. For one boot it is
 * in /run/steward-integrity, a file for each encrypted directory that only root may read. It is
 * not in the kernel's keyring, since root's keyring is shared by all mount namespaces and
 * containers of a machine, while each system has its own /run. /run may be swapped out: but
 * somebody who reads this key from a stolen swap still cannot write into an encrypted directory,
 * since that takes the other key.
 *
 * A directory for which there is no key, and which is in none that has one, is an ordinary
 * directory.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/hkdf.h"

#define KEPT_KEY_SIZE HKDF_SIZE

/* Derives it from the key that opens the directories. The caller wipes ret. -ENOMEM. */
int kept_key_derive(struct span fek, uint8_t ret[KEPT_KEY_SIZE]);

/* Hand over the key for files in directory and below; take it back; ask whether it was handed
 * over. -ENOENT: there is no such directory; else the errors of writing. */
int kept_key_put(const char *directory, const uint8_t key[KEPT_KEY_SIZE], struct err *err);
void kept_key_forget(const char *directory);
bool kept_key_is_put(const char *directory);

/* Finds the key for directory, or for a directory above it. 1: found; 0: there is none; negative
 * errno: its file is damaged, or out of memory. For other users than root there is none. */
int kept_key_find(const char *directory, uint8_t ret[KEPT_KEY_SIZE], struct err *err);
