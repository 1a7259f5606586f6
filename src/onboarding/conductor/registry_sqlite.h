/* registry_sqlite.h - the registry in a file: sqlite:/absolute/path
 *
 * The file and what SQLite puts beside it (-wal, -shm) are for their owner alone (0600); one that
 * others may open is closed to them. WAL, foreign keys, and a commit is on disk when it returns
 * (synchronous=FULL). What is deleted is overwritten.
 */
#pragma once

#include "onboarding/conductor/registry_driver.h"

extern const struct registry_driver registry_sqlite;
