/* contents.h - which encrypted directories have what Steward keeps in them authenticated, and the
 * key for that, from here to who keeps it (base/kept_file.h).
 *
 * The record says of which directories it is so: of all that this release has made. Those of an
 * older one follow with a reseal, which a person asks for: what is there then is right. So nothing
 * is taken in by a boot, where somebody may have been at the disk, and an older release still reads
 * the record of a machine that was only updated.
 */
#pragma once

#include "base/kept_key.h"
#include "base/settings.h"
#include "integrity/seal_record.h"

/* Whether the key of each that needs one was handed over in this boot. */
bool contents_are_handed_over(const struct seal_record *record);
int contents_hand_over(const struct seal_record *record, const uint8_t key[KEPT_KEY_SIZE],
		       struct failure *f);

/* Of the one that files were just moved into, for who asked for that. */
int contents_take_in_moved(const struct config_integrity *config, const char *path,
			   struct failure *f);

/* Of those that are open. record then says so. */
int contents_take_in(const struct config_integrity *config, struct seal_record *record,
		     const uint8_t key[KEPT_KEY_SIZE], struct failure *f);
