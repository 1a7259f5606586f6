/* SPDX-License-Identifier: GPL-3.0-or-later */
/* migrate.h - `enable migrate`: moves the contents of a directory into an encrypted one.
 *
 *	D -> D.migrating                     a rename
 *	D is made and encrypted, empty       as any other (enable.h, add.h): this commits
 *	D/.steward-migrating                 says so in a place that only the key can write to
 *	D.migrating is copied into D, compared, synced
 *	D.migrating -> D.migrated            from here on D is what counts
 *	D.migrated is removed, then D/.steward-migrating
 *
 * Power may fail at any step: D.migrating is complete until all of it is in D. Before D is
 * sealed, the next boot puts it back. After that the next boot goes on, if the mark in D says so:
 * what somebody put beside D while the machine was off is never moved in. In between, an operator
 * must ask for it again.
 *
 * cp and diff do the copying and comparing.
 */
#pragma once

#include <stdbool.h>

#include "base/settings.h"
#include "integrity/failure.h"

/* Move aside each directory that is plain and has files in it. -EOPNOTSUPP with the reason, and
 * nothing is changed: special files or mounts in it, or no room for a second copy. */
int migrate_begin(const struct config_integrity *config, struct failure *f);

/* A migration that sealed nothing: what was moved aside is put back, where nothing took its place.
 * Where a record is under way the next boot knows how it ended. What fails is logged. */
void migrate_put_back(const struct config_integrity *config);

/* Is something moved aside? */
bool migrate_is_pending(const struct config_integrity *config);

/* Log it, if something is. */
void migrate_tell_of_pending(const struct config_integrity *config);

/* Every directory is open: move in what is aside. by_hand: also without the mark. */
int migrate_finish(const struct config_integrity *config, bool by_hand, struct failure *f);
