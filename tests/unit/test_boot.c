/* What is done with what is found at boot. */
#include "support.h"

#include "core/macros.h"
#include "integrity/boot.h"

/* The recovery table of the design, each of its rows here as the findings it stands for. */
static void test_recovery_table(void **state)
{
	static const struct {
		struct boot_findings found;
		enum boot_action action;
	} rows[] = {
		/* nothing, or half made */
		{{true, RECORD_NONE, true, PIN_ABSENT, false}, BOOT_ENABLE},
		{{true, RECORD_NONE, true, PIN_UNWRITTEN, false}, BOOT_ENABLE},
		{{true, RECORD_NEW, true, PIN_ABSENT, false}, BOOT_ENABLE},
		{{true, RECORD_NEW, true, PIN_UNWRITTEN, false}, BOOT_ENABLE},
		/* record.json.new; the pin matches it */
		{{true, RECORD_NEW, true, PIN_WRITTEN, true}, BOOT_FINISH},
		{{true, RECORD_NEW, true, PIN_LOCKED, true}, BOOT_FINISH},
		/* record.json.new; the pin of something else */
		{{true, RECORD_NEW, true, PIN_WRITTEN, false}, BOOT_RECORD_CHANGED},
		{{true, RECORD_NEW, true, PIN_LOCKED, false}, BOOT_RECORD_CHANGED},
		/* record.json, whatever the TPM holds: unlocking tells */
		{{true, RECORD_WHOLE, true, PIN_LOCKED, false}, BOOT_UNLOCK},
		{{true, RECORD_WHOLE, true, PIN_ABSENT, false}, BOOT_UNLOCK},
		{{true, RECORD_WHOLE, false, PIN_ABSENT, false}, BOOT_UNLOCK},
		/* no record, a pin */
		{{true, RECORD_NONE, true, PIN_WRITTEN, false}, BOOT_RECORD_REMOVED},
		{{true, RECORD_NONE, true, PIN_LOCKED, false}, BOOT_RECORD_REMOVED},
		/* not enabled, but a record or a pin */
		{{false, RECORD_WHOLE, true, PIN_LOCKED, false}, BOOT_NOT_ENABLED},
		{{false, RECORD_WHOLE, false, PIN_ABSENT, false}, BOOT_NOT_ENABLED},
		{{false, RECORD_NEW, true, PIN_ABSENT, false}, BOOT_NOT_ENABLED},
		{{false, RECORD_NONE, true, PIN_WRITTEN, false}, BOOT_NOT_ENABLED},
		{{false, RECORD_NONE, true, PIN_LOCKED, false}, BOOT_NOT_ENABLED},
		/* not enabled, and never was */
		{{false, RECORD_NONE, true, PIN_ABSENT, false}, BOOT_NOTHING},
		{{false, RECORD_NONE, true, PIN_UNWRITTEN, false}, BOOT_NOTHING},
		{{false, RECORD_NONE, true, PIN_FOREIGN, false}, BOOT_NOTHING},
		{{false, RECORD_NONE, false, PIN_ABSENT, false}, BOOT_NOTHING},
		/* no TPM to ask: enabling says that, but a commit may have been made */
		{{true, RECORD_NONE, false, PIN_ABSENT, false}, BOOT_ENABLE},
		{{true, RECORD_NEW, false, PIN_ABSENT, false}, BOOT_NO_TPM},
		/* something foreign is no pin of ours */
		{{true, RECORD_NONE, true, PIN_FOREIGN, false}, BOOT_ENABLE},
		{{true, RECORD_NEW, true, PIN_FOREIGN, false}, BOOT_ENABLE},
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
	const bool pinned =
		found->tpm_answers && (found->pin == PIN_WRITTEN || found->pin == PIN_LOCKED);

	switch (action) {
	case BOOT_NOTHING:
		return !found->enabled && found->record == RECORD_NONE && !pinned;
	case BOOT_UNLOCK:
		return found->enabled && found->record == RECORD_WHOLE;
	case BOOT_FINISH:
		return found->enabled && found->record == RECORD_NEW && pinned &&
		       found->pin_matches;
	case BOOT_ENABLE:
		return found->enabled && found->record != RECORD_WHOLE && !pinned;
	case BOOT_NO_TPM:
		return found->enabled && found->record == RECORD_NEW && !found->tpm_answers;
	case BOOT_NOT_ENABLED:
		return !found->enabled && (found->record != RECORD_NONE || pinned);
	case BOOT_RECORD_REMOVED:
		return found->enabled && found->record == RECORD_NONE && pinned;
	case BOOT_RECORD_CHANGED:
		return found->enabled && found->record == RECORD_NEW && pinned &&
		       !found->pin_matches;
	default:
		return false;
	}
}

static void test_all_findings(void **state)
{
	struct boot_findings found;
	unsigned n = 0;

	(void)state;
	for (; n < 2 * 3 * 2 * 5 * 2; n++) {
		found.enabled = n % 2;
		found.record = (enum boot_record)(n / 2 % 3);
		found.tpm_answers = n / 6 % 2;
		found.pin = (enum pin_state)(n / 12 % 5);
		found.pin_matches = n / 60;
		if (!is_allowed(&found, boot_decide(&found)))
			fail_msg("enabled %d, record %d, TPM %d, pin %d, matches %d: %d",
				 found.enabled, found.record, found.tpm_answers, found.pin,
				 found.pin_matches, boot_decide(&found));
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
