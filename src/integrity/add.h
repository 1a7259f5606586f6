/* add.h - directories that the configuration names and the record does not: taken in.
 *
 *	each is absent or empty, on a filesystem that encrypts
 *	each made as NAME.new, encrypted under the record's FEK, renamed into place
 *	record.json.new, with all of them; everything synced
 *	a pin over all of them at the next index, which commits; the one before stays as it is
 *	record.json
 *
 * Power may fail at any step: until the pin is written record.json is what holds, and what is half
 * made is removed before it is begun anew; from then on it is finished.
 */
#pragma once

#include <stdbool.h>

#include "base/secret.h"
#include "base/settings.h"
#include "integrity/seal_record.h"

/* How many there are. */
size_t add_count(const struct config_integrity *config, const struct seal_record *record);

/* Can they be taken in? An event otherwise, CAUSE_DIRECTORY_ADDED: written to, they would lie in
 * the clear. Nothing is changed. */
int add_check(const struct config_integrity *config, const struct seal_record *record,
	      struct failure *f);

/* record's own directories are open. */
int add_directories(const struct config_integrity *config, const struct seal_record *record,
		    const struct secret *fek, struct failure *f);

/* Both record.json and record.json.new are there: if the latter is an addition whose pin is
 * written, it takes the other's place: *ret_finished. */
int add_finish(const struct config_integrity *config, bool *ret_finished, struct failure *f);
