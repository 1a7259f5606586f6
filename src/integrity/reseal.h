/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reseal.h - seals the same FEK again, for the present values of the configured PCRs.
 *
 * The FEK is opened as the record says, so the PCRs must still have the recorded values. Before
 * an update that will change them: reseal without PCRs, update, reseal with them.
 *
 * A new wrapping key is made at the other handle; the FEK is wrapped to it, unwrapped and
 * compared; the record is replaced by rename; the old key is evicted. The pin does not change.
 * Power may fail at any step: one of the two keys is always in the record, and the next reseal
 * evicts what was left.
 */
#pragma once

#include "base/settings.h"
#include "integrity/seal_record.h"

int reseal(const struct config_integrity *config, const struct seal_record *record,
	   struct failure *f);
