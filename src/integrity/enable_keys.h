/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enable_keys.h - the TPM's part of an enablement, and of a reseal. All of it in children:
 * tpm_child.h.
 */
#pragma once

#include "base/kept_key.h"
#include "base/settings.h"
#include "integrity/findings.h"
#include "integrity/policy_store.h"
#include "integrity/seal_record.h"

/* Shared with the children: from tpm_child_alloc(). */
struct enabling {
	const struct config_integrity *config;
	const struct seal_record *record; /* to commit to */
	TPM2B_NAME known[SEAL_KNOWN_NAMES];
	TPM2_HANDLE named[NAMED_INDICES_MAX]; /* where pins may be */
	size_t n_named;
	struct wrapping_key key;
	struct pcr_policy policy;
	struct signed_policy by;     /* what policy.by points to */
	struct policy_opened opened; /* the same, for who asks */
	TPM2B_NAME ek_name;
	uint8_t srk[SRK_SIZE_MAX];
	size_t srk_size;
	uint8_t fek[FSCRYPT_FEK_SIZE];
	uint8_t contents_key[KEPT_KEY_SIZE];
};

/* Can the TPM take part? Then removes what is half made in it, and makes key and FEK, which are
 * proved by wrapping and unwrapping once. Only the SRK is persistent. -EEXIST: the TPM has a pin
 * that is written, or a key that record.json.new does not name, or does not list them: an event,
 * and nothing is changed. Other errors: it cannot take part. */
int enable_keys_make(struct enabling *e, struct failure *f);

/* Unwrap what the record holds and compare; make the key persistent; write and lock the pin. */
int enable_keys_commit(struct enabling *e, struct failure *f);

/* Evict what record.json.new names and undefine the pin, unless it is written or another one is:
 * *ret_pin_written. */
int enable_keys_undo(struct enabling *e, bool *ret_pin_written, struct failure *f);

/* A fresh policy session salted to srk unwraps record's FEK with the key behind handle, and it is
 * fek: what was sealed can be opened again. */
int enable_keys_prove(struct tpm *t, ESYS_TR srk, ESYS_TR key, const struct seal_record *record,
		      const uint8_t fek[FSCRYPT_FEK_SIZE], struct err *err);
