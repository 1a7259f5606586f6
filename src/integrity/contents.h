/* SPDX-License-Identifier: GPL-3.0-or-later */
/* contents.h - the encrypted directories whose files of Steward are authenticated, and the key
 * for that, which is handed over to base/kept_file.h.
 *
 * The record says for which directories that is so: for all that this release has made. Those of
 * an older release follow with a reseal, by which a person says that the present files are right.
 * A boot never accepts files, since somebody may have changed the disk before it; and an older
 * release can still read the record of a machine that was only updated.
 */
#pragma once

#include "base/kept_key.h"
#include "base/settings.h"
#include "integrity/seal_record.h"

/* Whether the key of each that needs one was handed over in this boot. */
bool contents_are_handed_over(const struct seal_record *record);
int contents_hand_over(const struct seal_record *record, const uint8_t key[KEPT_KEY_SIZE],
		       struct failure *f);

/* Accepts the files that were just moved into path. */
int contents_take_in_moved(const struct config_integrity *config, const char *path,
			   struct failure *f);

/* Accepts the files in all directories that are open, and marks them in record. */
int contents_take_in(const struct config_integrity *config, struct seal_record *record,
		     const uint8_t key[KEPT_KEY_SIZE], struct failure *f);
