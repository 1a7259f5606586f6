/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_sqlite.h - the registry in a file: sqlite:/absolute/path
 *
 * Only the owner may read the file and those that SQLite puts beside it (-wal, -shm): mode 0600,
 * which is also set on an existing file. WAL, foreign keys, and a commit is on disk when it
 * returns (synchronous=FULL). Deleted content is overwritten.
 */
#pragma once

#include "conductor/registry/registry_driver.h"

extern const struct registry_driver registry_sqlite;
