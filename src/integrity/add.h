/* SPDX-License-Identifier: GPL-3.0-or-later */
/* add.h - encrypts directories that were added to the configuration and are not in the record
 * yet.
 *
 *	each is absent or empty, on a filesystem that encrypts
 *	each made as NAME.new, encrypted under the record's FEK, renamed into place
 *	record.json.new, with all of them; everything synced
 *	a pin over all of them at the next index, which commits; the one before stays as it is
 *	record.json
 *
 * Power may fail at any step. Until the pin is written, record.json is in force, and what is half
 * made is removed before it is begun again. After that it is completed.
 */
#pragma once

#include <stdbool.h>

#include "base/secret.h"
#include "base/settings.h"
#include "integrity/seal_record.h"

/* How many there are. */
size_t add_count(const struct config_integrity *config, const struct seal_record *record);

/* Can they be encrypted? If not, that is an event (CAUSE_DIRECTORY_ADDED), since files written to
 * them would not be encrypted. Changes nothing. */
int add_check(const struct config_integrity *config, const struct seal_record *record,
	      struct failure *f);

/* record's own directories are open. */
int add_directories(const struct config_integrity *config, const struct seal_record *record,
		    const struct secret *fek, struct failure *f);

/* record.json and record.json.new are both there. If the latter is an addition whose pin is
 * written, it replaces the former: *ret_finished. */
int add_finish(const struct config_integrity *config, bool *ret_finished, struct failure *f);
