/* SPDX-License-Identifier: GPL-3.0-or-later */
/* diagnose_event.h - which cause an integrity event has (docs/integrity.md, "Causes"): what a
 * technician does next depends on it.
 */
#pragma once

#include "base/settings.h"
#include "integrity/seal_record.h"

enum seal_fact { FACT_SAME, FACT_OTHER, FACT_ABSENT };

/* What the TPM holds, beside what the record says. */
struct seal_facts {
	enum seal_fact pin;
	enum seal_fact key;
	enum seal_fact ek;     /* never absent */
	enum seal_fact policy; /* of the key: whether the record's PCRs lead to it; never absent */
	enum seal_fact pcrs;   /* their values now; absent = the TPM has no such bank */
};

/* PURE. code is what the step that failed returned (tpm/tpm.h). */
enum integrity_cause seal_cause(const struct seal_facts *facts, int code);

/* Locating or unsealing failed with code: ask the TPM what it holds, and say which cause it is.
 * What f->err says is kept where the TPM's own words tell most. Returns code. */
int seal_classify(struct tpm *t, const struct config_integrity *config,
		  const struct seal_record *record, int code, struct failure *f);

/* The first 8 hex digits of a Name's digest, and "…". */
#define SHORT_NAME_SIZE 16
const char *short_name(const TPM2B_NAME *name, char ret[SHORT_NAME_SIZE]);
