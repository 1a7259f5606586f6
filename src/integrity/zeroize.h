/* zeroize.h - end all access to what is encrypted, for good.
 *
 *	lock the directories and take their keys from the kernel
 *	evict the wrapping key
 *	overwrite and delete the record
 *	undefine the pin
 *	remove the directories
 *
 * Once the wrapping key is gone nothing opens them any more. Interrupted, it is finished by running
 * it again: what is gone already is no error.
 */
#pragma once

#include "base/settings.h"
#include "integrity/seal_record.h"

/* record: NULL = there is none, or it cannot be read; then the configuration alone says what is
 * ours. -EBUSY while files in a directory are open: nothing was done but to lock. */
int zeroize(const struct config_integrity *config, const struct seal_record *record,
	    struct failure *f);
