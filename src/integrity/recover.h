/* recover.h - `request configuration-integrity recover`: with the FEK that an operator has
 *unwrapped (recovery.h), open the directories and seal them to the TPM that is here now.
 *
 *	which directories: of record.json, else of recovery.json
 *	each is locked and opened by this key: else nothing is changed in TPM and record
 *	wrapping key; record.json.new; the key made persistent; the pin; record.json
 *
 * A pin that is there must be of these directories. Power may fail at any step: what was there
 * before still says what it said, and recovering again finishes it.
 */
#pragma once

#include "base/secret.h"
#include "base/settings.h"
#include "integrity/seal_record.h"

/* record: the one that is there, or with directories alone. */
int recover(const struct config_integrity *config, const struct seal_record *record,
	    const struct secret *fek, struct failure *f);
