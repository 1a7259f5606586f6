/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unseal.h - the TPM's part of an unlock: locate the record, decrypt the FEK.
 *
 * Locating: what the record says of the directories must hash to the pin. Unsealing: the wrapping
 * key's Name must be the record's.
 */
#pragma once

#include <semaphore.h>

#include "base/kept_key.h"
#include "base/settings.h"
#include "integrity/policy_store.h"
#include "integrity/seal_record.h"
#include "integrity/unlock_check.h"

/* The signed policy by which the directories open, if there is one. */
struct unlock_by {
	struct signed_policy policy;
	struct policy_opened opened; /* its name is empty: by none */
};

/* Of the check, which the parent asks beside the child. */
enum unseal_verdict {
	UNSEAL_UNDECIDED,
	UNSEAL_PASSED,
	UNSEAL_REFUSED,
};

/* Shared with the child that speaks to the TPM: from tpm_child_alloc(). */
struct unsealing {
	const struct config_integrity *config;
	const struct seal_record *record;
	const struct unlock_check *check; /* before anything but locating; NULL = it has passed */
	_Atomic enum unseal_verdict verdict;
	sem_t has_verdict; /* by which the child waits for it */
	bool locate_only;
	TPM2B_NAME left[SEAL_KNOWN_NAMES]; /* Names of keys that a reseal may have left behind */
	bool left_is_gone;                 /* none is there (any more) */
	bool evicted_left;
	struct unlock_by by;
	/* Called in the child once fek is there, with all memory locked; NULL = nobody. */
	void (*unsealed)(struct unsealing *u);
	uint8_t fek[FSCRYPT_FEK_SIZE]; /* filled, unless locate_only; and this: */
	uint8_t contents_key[KEPT_KEY_SIZE];
};

/* f->step and f->cause tell where and why it failed. -ECANCELED: the check did not pass. */
int unseal(struct unsealing *u, struct failure *f);
