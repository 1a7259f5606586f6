/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/boot.h"

static bool is_pinned(const struct boot_findings *found)
{
	return found->tpm == BOOT_TPM_ANSWERS && pin_is_written(found->pin);
}

static bool is_unnamed(const struct boot_findings *found)
{
	return found->tpm == BOOT_TPM_ANSWERS && found->pin_unnamed;
}

/* A TPM that fails tells no more than a TPM that was taken out. In both cases the boot goes on
 * without secrets. */
static enum boot_action decide_not_enabled(const struct boot_findings *found)
{
	if (found->record != RECORD_NONE || is_pinned(found))
		return BOOT_NOT_ENABLED;
	return is_unnamed(found) ? BOOT_PIN_UNNAMED : BOOT_NOTHING;
}

static enum boot_action decide_half_made(const struct boot_findings *found)
{
	if (found->tpm == BOOT_TPM_ABSENT)
		return BOOT_NO_TPM;
	if (found->tpm == BOOT_TPM_FAILS)
		return BOOT_PIN_UNREAD;
	if (is_pinned(found))
		return found->pin_matches ? BOOT_FINISH : BOOT_RECORD_CHANGED;
	if (found->pin_unnamed)
		return BOOT_PIN_UNNAMED;
	return found->not_mounted ? BOOT_CANNOT : BOOT_ENABLE;
}

static enum boot_action decide_no_record(const struct boot_findings *found)
{
	const bool ruled_out =
		found->tpm == BOOT_TPM_ANSWERS && !is_pinned(found) && !found->pin_unnamed;

	if (found->not_mounted)
		return ruled_out ? BOOT_CANNOT : BOOT_NOT_MOUNTED;
	if (found->tpm == BOOT_TPM_FAILS)
		return BOOT_PIN_UNREAD;
	if (is_pinned(found))
		return BOOT_RECORD_REMOVED;
	return is_unnamed(found) ? BOOT_PIN_UNNAMED : BOOT_ENABLE;
}

enum boot_action boot_decide(const struct boot_findings *found)
{
	if (!found->enabled)
		return decide_not_enabled(found);
	switch (found->record) {
	case RECORD_WHOLE:
		return BOOT_UNLOCK;
	case RECORD_NEW:
		return decide_half_made(found);
	default:
		return decide_no_record(found);
	}
}
