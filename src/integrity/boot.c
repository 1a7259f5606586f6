#include "integrity/boot.h"

enum boot_action boot_decide(const struct boot_findings *found)
{
	const bool pinned =
		found->tpm_answers && (found->pin == PIN_WRITTEN || found->pin == PIN_LOCKED);

	if (!found->enabled)
		return pinned || found->record != RECORD_NONE ? BOOT_NOT_ENABLED : BOOT_NOTHING;
	switch (found->record) {
	case RECORD_WHOLE:
		return BOOT_UNLOCK;
	case RECORD_NEW:
		if (!found->tpm_answers)
			return BOOT_NO_TPM;
		if (pinned)
			return found->pin_matches ? BOOT_FINISH : BOOT_RECORD_CHANGED;
		return BOOT_ENABLE;
	default:
		return pinned ? BOOT_RECORD_REMOVED : BOOT_ENABLE;
	}
}
