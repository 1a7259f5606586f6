/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recover.h - `request configuration-integrity recover`: an operator has unwrapped the FEK
 * (recovery.h); opens the directories with it and seals them to the present TPM.
 *
 *	which directories: of record.json, else of recovery.json
 *	each is locked and opened by this key: else nothing is changed in TPM and record
 *	wrapping key; record.json.new; the key made persistent; the pin; record.json
 *
 * If there is a pin, it must be of these directories. Power may fail at any step: what was there
 * before is still valid, and recovering again completes it.
 */
#pragma once

#include "base/secret.h"
#include "base/settings.h"
#include "integrity/seal_record.h"

/* record: the one that is there, or with directories alone. */
int recover(const struct config_integrity *config, const struct seal_record *record,
	    const struct secret *fek, struct failure *f);
