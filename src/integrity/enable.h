/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enable.h - the first boot, or `request configuration-integrity enable`.
 *
 *	can this system take part?
 *	storage root key, wrapping key, FEK; wrapped, unwrapped and compared
 *	each directory made as NAME.new, encrypted, checked, synced, renamed into place
 *	record.json.new; everything synced
 *	the wrapping key made persistent; the pin, which commits
 *	record.json
 *
 * Power may fail at any step: until the pin is written, what is there is half made, and is removed
 * before it is begun anew; from then on it is finished.
 */
#pragma once

#include "base/settings.h"
#include "integrity/seal_record.h"

/* Neither record.json nor a pin is there. -EOPNOTSUPP: not able, with the reason, and nothing is
 * changed. Anything else is an integrity event. */
int enable(const struct config_integrity *config, struct failure *f);

/* record.json.new is there and the pin matches it: lock the pin, and rename. */
int enable_finish(const struct config_integrity *config, struct failure *f);
