/* SPDX-License-Identifier: GPL-3.0-or-later */
/* failure.h - why the encrypted directories could not be opened, as support has to know it.
 *
 * Functions that can end in an integrity event fill a struct failure next to their negative errno:
 * the cause decides what is told apart, err has the sentence.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* The steps of an unlock, and what is looked at before it. */
enum integrity_step {
	STEP_START,
	STEP_LOCATE,
	STEP_UNSEAL,
	STEP_PASS,
	STEP_UNLOCK,
	STEP_ENABLE,
	N_STEPS
};

/* The table of causes: docs/integrity.md, "Causes". Its words are in failure.c, and what is said of
 * them in the journal in packaging/steward.catalog; a test compares these. */
enum integrity_cause {
	CAUSE_NONE,
	CAUSE_NO_TPM,
	CAUSE_TPM_IN_USE,        /* another program holds its device */
	CAUSE_TPM_SILENT,        /* took a command, and answers no more */
	CAUSE_TPM_AUTHORIZATION, /* of a hierarchy of its is set, expected an empty one */
	CAUSE_ANOTHER_TPM,
	CAUSE_TPM_CLEARED,
	CAUSE_KEY_REPLACED,
	CAUSE_RECORD_CHANGED,
	CAUSE_RECORD_REMOVED,
	CAUSE_RECORD_LOST, /* encrypted directories with neither record nor pin */
	CAUSE_PIN_UNNAMED, /* a pin of ours at an index that no configuration names */
	CAUSE_NOT_MOUNTED, /* the filesystem that a path is to be on */
	CAUSE_PCR_MISMATCH,
	CAUSE_PCR_BANK,  /* the TPM does not have it any more */
	CAUSE_SEALED,    /* until the next boot: seal-after-boot */
	CAUSE_NO_POLICY, /* none that is signed fits what is measured now */
	CAUSE_DIRECTORY_PLAIN,
	CAUSE_DIRECTORY_FOREIGN,
	CAUSE_DIRECTORY_SYMLINK,
	CAUSE_DIRECTORY_MISSING,
	CAUSE_DIRECTORY_ADDED, /* to the configuration, and cannot be taken in */
	CAUSE_METADATA_MISSING,
	CAUSE_FSCRYPT_NOT_SET_UP, /* its configuration in /etc */
	CAUSE_FSCRYPT_MISSING,
	CAUSE_FSCRYPT_REFUSED,
	CAUSE_CONFIGURATION, /* says "not enabled", but a record or a pin is there; or is refused */
	CAUSE_REQUIRED,      /* cannot take part, and the configuration says "required" */
	CAUSE_TPM_NOT_READY, /* it says that it cannot now: this tells nothing of the disk */
	CAUSE_TPM_ERROR,     /* answers, but not as a TPM does */
	CAUSE_READ_ONLY,     /* CAUSE_SYSTEM becomes these two by its errno */
	CAUSE_FULL,
	CAUSE_SYSTEM, /* the disk, memory, rights */
	N_CAUSES
};

struct failure {
	enum integrity_step step;
	enum integrity_cause cause;
	uint32_t tpm_rc; /* 0 = the TPM has not refused anything */
	bool tpm_absent; /* with another cause: a TPM that is only late may end it */
	struct err err;  /* begins with the cause's name */
};

const char *integrity_step_name(enum integrity_step step);
const char *integrity_cause_name(enum integrity_cause cause);

/* PURE. Of a command that the TPM answered, or not, with code (tpm/tpm.h). */
enum integrity_cause failure_tpm_cause(int code);

/* What an operator is to do about it: sentences. Only where it is true do they say that the system
 * must be reprovisioned. */
const char *integrity_cause_advice(enum integrity_cause cause);

/* Fill cause and err ("<cause>: <format>"); return code, a negative errno. */
int failure_set(struct failure *f, enum integrity_cause cause, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same, of a failure that f->err tells already: the cause's name is put in front. */
int failure_because(struct failure *f, enum integrity_cause cause);
