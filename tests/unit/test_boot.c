/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is done with what is found at boot. */
#include "support.h"

#include "base/macros.h"
#include "integrity/boot.h"

#define ABSENT  BOOT_TPM_ABSENT
#define FAILS   BOOT_TPM_FAILS
#define ANSWERS BOOT_TPM_ANSWERS

/* The recovery table of docs/integrity.md, each of its rows here as the findings it stands for:
 * enabled, record, TPM, pin, whether it matches, one that is unnamed, not mounted. */
static void test_recovery_table(void **state)
{
	static const struct {
		struct boot_findings found;
		enum boot_action action;
	} rows[] = {
		/* nothing, or half made */
		{{true, RECORD_NONE, ANSWERS, PIN_ABSENT, 0, 0, 0}, BOOT_ENABLE},
		{{true, RECORD_NONE, ANSWERS, PIN_UNWRITTEN, 0, 0, 0}, BOOT_ENABLE},
		{{true, RECORD_NEW, ANSWERS, PIN_ABSENT, 0, 0, 0}, BOOT_ENABLE},
		{{true, RECORD_NEW, ANSWERS, PIN_UNWRITTEN, 0, 0, 0}, BOOT_ENABLE},
		/* record.json.new; the pin matches it */
		{{true, RECORD_NEW, ANSWERS, PIN_WRITTEN, 1, 0, 0}, BOOT_FINISH},
		{{true, RECORD_NEW, ANSWERS, PIN_LOCKED, 1, 0, 0}, BOOT_FINISH},
		/* record.json.new; the pin of something else */
		{{true, RECORD_NEW, ANSWERS, PIN_WRITTEN, 0, 0, 0}, BOOT_RECORD_CHANGED},
		{{true, RECORD_NEW, ANSWERS, PIN_LOCKED, 0, 0, 0}, BOOT_RECORD_CHANGED},
		/* record.json, whatever the TPM holds: unlocking tells */
		{{true, RECORD_WHOLE, ANSWERS, PIN_LOCKED, 0, 0, 0}, BOOT_UNLOCK},
		{{true, RECORD_WHOLE, ANSWERS, PIN_ABSENT, 0, 0, 0}, BOOT_UNLOCK},
		{{true, RECORD_WHOLE, ABSENT, PIN_ABSENT, 0, 0, 0}, BOOT_UNLOCK},
		/* no record, a pin */
		{{true, RECORD_NONE, ANSWERS, PIN_WRITTEN, 0, 0, 0}, BOOT_RECORD_REMOVED},
		{{true, RECORD_NONE, ANSWERS, PIN_LOCKED, 0, 0, 0}, BOOT_RECORD_REMOVED},
		/* not enabled, but a record or a pin */
		{{false, RECORD_WHOLE, ANSWERS, PIN_LOCKED, 0, 0, 0}, BOOT_NOT_ENABLED},
		{{false, RECORD_WHOLE, ABSENT, PIN_ABSENT, 0, 0, 0}, BOOT_NOT_ENABLED},
		{{false, RECORD_WHOLE, FAILS, PIN_ABSENT, 0, 0, 0}, BOOT_NOT_ENABLED},
		{{false, RECORD_NEW, ANSWERS, PIN_ABSENT, 0, 0, 0}, BOOT_NOT_ENABLED},
		{{false, RECORD_NONE, ANSWERS, PIN_WRITTEN, 0, 0, 0}, BOOT_NOT_ENABLED},
		{{false, RECORD_NONE, ANSWERS, PIN_LOCKED, 0, 0, 0}, BOOT_NOT_ENABLED},
		/* not enabled, and never was */
		{{false, RECORD_NONE, ANSWERS, PIN_ABSENT, 0, 0, 0}, BOOT_NOTHING},
		{{false, RECORD_NONE, ANSWERS, PIN_UNWRITTEN, 0, 0, 0}, BOOT_NOTHING},
		{{false, RECORD_NONE, ANSWERS, PIN_FOREIGN, 0, 0, 0}, BOOT_NOTHING},
		{{false, RECORD_NONE, ABSENT, PIN_ABSENT, 0, 0, 0}, BOOT_NOTHING},
		{{false, RECORD_NONE, FAILS, PIN_ABSENT, 0, 0, 0}, BOOT_NOTHING},
		/* a pin that no configuration names */
		{{false, RECORD_NONE, ANSWERS, PIN_ABSENT, 0, 1, 0}, BOOT_PIN_UNNAMED},
		{{true, RECORD_NONE, ANSWERS, PIN_ABSENT, 0, 1, 0}, BOOT_PIN_UNNAMED},
		{{true, RECORD_NEW, ANSWERS, PIN_ABSENT, 0, 1, 0}, BOOT_PIN_UNNAMED},
		{{true, RECORD_NEW, ANSWERS, PIN_LOCKED, 1, 1, 0}, BOOT_FINISH},
		/* no TPM to ask: enabling says that, but a commit may have been made */
		{{true, RECORD_NONE, ABSENT, PIN_ABSENT, 0, 0, 0}, BOOT_ENABLE},
		{{true, RECORD_NEW, ABSENT, PIN_ABSENT, 0, 0, 0}, BOOT_NO_TPM},
		/* one that does not tell */
		{{true, RECORD_NONE, FAILS, PIN_ABSENT, 0, 0, 0}, BOOT_PIN_UNREAD},
		{{true, RECORD_NEW, FAILS, PIN_ABSENT, 0, 0, 0}, BOOT_PIN_UNREAD},
		/* not mounted: enabled only where nothing was */
		{{true, RECORD_NONE, ANSWERS, PIN_ABSENT, 0, 0, 1}, BOOT_CANNOT},
		{{true, RECORD_NEW, ANSWERS, PIN_UNWRITTEN, 0, 0, 1}, BOOT_CANNOT},
		{{true, RECORD_NONE, ANSWERS, PIN_LOCKED, 0, 0, 1}, BOOT_NOT_MOUNTED},
		{{true, RECORD_NONE, ANSWERS, PIN_ABSENT, 0, 1, 1}, BOOT_NOT_MOUNTED},
		{{true, RECORD_NONE, FAILS, PIN_ABSENT, 0, 0, 1}, BOOT_NOT_MOUNTED},
		{{true, RECORD_NONE, ABSENT, PIN_ABSENT, 0, 0, 1}, BOOT_NOT_MOUNTED},
		/* something foreign is no pin of ours */
		{{true, RECORD_NONE, ANSWERS, PIN_FOREIGN, 0, 0, 0}, BOOT_ENABLE},
		{{true, RECORD_NEW, ANSWERS, PIN_FOREIGN, 0, 0, 0}, BOOT_ENABLE},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (boot_decide(&rows[i].found) != rows[i].action)
			fail_msg("row %zu: %d, expected %d", i, boot_decide(&rows[i].found),
				 rows[i].action);
}

/* What must hold whatever is found: data is never given up, and nothing opened without a record. */
static bool is_allowed(const struct boot_findings *found, enum boot_action action)
{
	const bool answers = found->tpm == ANSWERS;
	const bool pinned = answers && (found->pin == PIN_WRITTEN || found->pin == PIN_LOCKED);
	const bool unnamed = answers && found->pin_unnamed;

	switch (action) {
	case BOOT_NOTHING:
		return !found->enabled && found->record == RECORD_NONE && !pinned && !unnamed;
	case BOOT_UNLOCK:
		return found->enabled && found->record == RECORD_WHOLE;
	case BOOT_FINISH:
		return found->enabled && found->record == RECORD_NEW && pinned &&
		       found->pin_matches;
	case BOOT_ENABLE:
		return found->enabled && found->record != RECORD_WHOLE && !found->not_mounted &&
		       !pinned && !unnamed &&
		       (answers || (found->tpm == ABSENT && found->record == RECORD_NONE));
	case BOOT_CANNOT:
		return found->enabled && found->record != RECORD_WHOLE && found->not_mounted &&
		       answers && !pinned && !unnamed;
	case BOOT_NO_TPM:
		return found->enabled && found->record == RECORD_NEW && found->tpm == ABSENT;
	case BOOT_PIN_UNREAD:
		return found->enabled && found->record != RECORD_WHOLE && found->tpm == FAILS;
	case BOOT_NOT_ENABLED:
		return !found->enabled && (found->record != RECORD_NONE || pinned);
	case BOOT_NOT_MOUNTED:
		return found->enabled && found->record == RECORD_NONE && found->not_mounted &&
		       (!answers || pinned || unnamed);
	case BOOT_RECORD_REMOVED:
		return found->enabled && found->record == RECORD_NONE && pinned;
	case BOOT_RECORD_CHANGED:
		return found->enabled && found->record == RECORD_NEW && pinned &&
		       !found->pin_matches;
	case BOOT_PIN_UNNAMED:
		return found->record != RECORD_WHOLE && !pinned && unnamed;
	default:
		return false;
	}
}

static void test_all_findings(void **state)
{
	struct boot_findings found;
	unsigned n = 0;

	(void)state;
	for (; n < 2 * 3 * 3 * 5 * 2 * 2 * 2; n++) {
		found.enabled = n % 2;
		found.record = (enum boot_record)(n / 2 % 3);
		found.tpm = (enum boot_tpm)(n / 6 % 3);
		found.pin = (enum pin_state)(n / 18 % 5);
		found.pin_matches = n / 90 % 2;
		found.pin_unnamed = n / 180 % 2;
		found.not_mounted = n / 360;
		if (!is_allowed(&found, boot_decide(&found)))
			fail_msg("enabled %d, record %d, TPM %d, pin %d, matches %d, unnamed %d, "
				 "not mounted %d: %d",
				 found.enabled, found.record, found.tpm, found.pin,
				 found.pin_matches, found.pin_unnamed, found.not_mounted,
				 boot_decide(&found));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recovery_table),
		cmocka_unit_test(test_all_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
