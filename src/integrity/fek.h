/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fek.h - the filesystem encryption key (FEK): made by the TPM, wrapped in software, unwrapped by
 * the TPM.
 *
 * Wrapping needs only the public key, so the FEK does not cross the bus for it. Making and
 * unwrapping go through a session salted to the SRK, with parameter encryption.
 *
 * label: text that must be given again for unwrapping; its final zero is part of it (TPM 2.0 part
 * 1, B.4).
 *
 * Errors: those of tpm/tpm.h; -EILSEQ: the TPM refuses what is wrapped, or it contains something
 * else; -ENOKEY: the key's policy is not satisfied.
 */
#pragma once

#include "integrity/fscrypt.h"
#include "integrity/wrapping_key.h"
#include "tpm/tpm.h"

int fek_make(struct tpm *t, const struct tpm_object *session, uint8_t ret[FSCRYPT_FEK_SIZE],
	     struct err *err);

int fek_wrap(const TPM2B_PUBLIC *key, const uint8_t fek[FSCRYPT_FEK_SIZE], const char *label,
	     uint8_t ret[WRAPPED_SIZE], struct err *err);

/* session: a fresh, salted policy session. Tries again a few times if a PCR changes meanwhile. */
int fek_unwrap(struct tpm *t, ESYS_TR key, const struct tpm_object *session,
	       const struct pcr_policy *policy, const uint8_t wrapped[WRAPPED_SIZE],
	       const char *label, uint8_t ret[FSCRYPT_FEK_SIZE], struct err *err);
