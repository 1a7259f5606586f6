/* SPDX-License-Identifier: GPL-3.0-or-later */
/* boot.h - what a boot does with what it finds: the recovery table of docs/integrity.md.
 *
 * A pin that is written may belong to directories that cannot be seen now. If that cannot be
 * ruled out, it is an event, and nothing new is made in their place.
 */
#pragma once

#include <stdbool.h>

#include "integrity/pin.h"

enum boot_record { RECORD_NONE, RECORD_NEW, RECORD_WHOLE };

enum boot_tpm {
	BOOT_TPM_ABSENT, /* none there, or none yet */
	BOOT_TPM_FAILS,  /* one is there, and did not tell its pins */
	BOOT_TPM_ANSWERS,
};

struct boot_findings {
	bool enabled; /* the configuration says so, and names a directory */
	enum boot_record record;
	enum boot_tpm tpm;
	enum pin_state pin; /* at the configured index; of a TPM that answers, as the next two */
	bool pin_matches;   /* record.json.new; of a pin that is written */
	bool pin_unnamed;   /* one is written at an index that no configuration names */
	bool not_mounted;   /* a filesystem that a directory or the record is to be on */
};

enum boot_action {
	BOOT_NOTHING,        /* not enabled, and nothing was */
	BOOT_UNLOCK,         /* record.json; without its pin that is an event */
	BOOT_FINISH,         /* committed, but not renamed: then unlock */
	BOOT_ENABLE,         /* nothing, or half made: undone and made anew */
	BOOT_CANNOT,         /* not mounted, and nothing was enabled: cannot take part */
	BOOT_NO_TPM,         /* event: record.json.new, and no TPM to ask */
	BOOT_PIN_UNREAD,     /* event: the TPM does not tell whether something is pinned */
	BOOT_NOT_ENABLED,    /* event: the configuration may have been changed */
	BOOT_NOT_MOUNTED,    /* event: a pin, or none that can be ruled out */
	BOOT_RECORD_REMOVED, /* event: a pin and no record of it */
	BOOT_RECORD_CHANGED, /* event: record.json.new, and the pin of something else */
	BOOT_PIN_UNNAMED,    /* event: its configuration may have been changed */
};

/* PURE. */
enum boot_action boot_decide(const struct boot_findings *found);
