/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zeroize.h - ends all access to what is encrypted, for good.
 *
 *	forget the keys of contents.mac; lock the directories, taking their keys from the kernel
 *	evict the wrapping keys
 *	overwrite and delete record.json.new, recovery.json and record.json; remove signed policies
 *	undefine the pins and the counter of seal-after-boot
 *	remove the directories
 *
 * Once the wrapping key is gone nothing opens the directories any more. If it is interrupted, run
 * it again: what is gone already is no error.
 */
#pragma once

#include "base/settings.h"
#include "integrity/seal_record.h"

/* record: NULL = there is none, or it cannot be read; then the configuration alone says what is
 * ours. -EBUSY while files in a directory are open: nothing was done but to lock. */
int zeroize(const struct config_integrity *config, const struct seal_record *record,
	    struct failure *f);
