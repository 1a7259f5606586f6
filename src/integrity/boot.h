/* boot.h - what is to be done with what is found at boot: the recovery table of integrity.md.
 */
#pragma once

#include <stdbool.h>

#include "integrity/pin.h"

enum boot_record { RECORD_NONE, RECORD_NEW, RECORD_WHOLE };

struct boot_findings {
	bool enabled; /* the configuration says so, and names a directory */
	enum boot_record record;
	bool tpm_answers;
	enum pin_state pin;
	bool pin_matches; /* record.json.new; of a pin that is written */
};

enum boot_action {
	BOOT_NOTHING,        /* not enabled, and nothing was */
	BOOT_UNLOCK,         /* record.json; without its pin that is an event */
	BOOT_FINISH,         /* committed, but not renamed: then unlock */
	BOOT_ENABLE,         /* nothing, or half made: undone and made anew */
	BOOT_NO_TPM,         /* event: record.json.new, and no TPM to ask */
	BOOT_NOT_ENABLED,    /* event: the configuration may have been changed */
	BOOT_RECORD_REMOVED, /* event: a pin and no record of it */
	BOOT_RECORD_CHANGED, /* event: record.json.new, and the pin of something else */
};

/* PURE. */
enum boot_action boot_decide(const struct boot_findings *found);
