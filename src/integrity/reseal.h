/* reseal.h - seal the same FEK anew: for the configured PCRs, at their values of now.
 *
 * The FEK is opened as the record says, so the PCRs must still be what they were. Before an update
 * that will change them: reseal without PCRs, update, reseal with them.
 *
 * A new wrapping key at the other handle; the FEK wrapped to it, unwrapped and compared; the
 * record replaced by rename; the old key evicted. The pin does not change. Power may fail at any
 * step: one of the two keys is always in the record, and the next reseal evicts what was left.
 */
#pragma once

#include "base/settings.h"
#include "integrity/seal_record.h"

int reseal(const struct config_integrity *config, const struct seal_record *record,
	   struct failure *f);
