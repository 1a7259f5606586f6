/* fek.h - the filesystem encryption key: made by the TPM, wrapped in software, unwrapped by the
 * TPM.
 *
 * Wrapping needs the public key alone, so that the FEK does not cross the bus for it. Making and
 * unwrapping go through a session salted to the SRK, with parameter encryption.
 *
 * label: text that the unwrapping must give too; its final zero is part of it (TPM 2.0 part 1,
 * B.4).
 *
 * Errors: those of tpm/tpm.h; -EILSEQ: the one command that uses the sealed key refuses what is
 * wrapped, or it holds something else; -ENOKEY: the key's policy does not hold.
 */
#pragma once

#include "integrity/fscrypt.h"
#include "integrity/wrapping_key.h"
#include "tpm/tpm.h"

int fek_make(struct tpm *t, const struct tpm_object *session, uint8_t ret[FSCRYPT_FEK_SIZE],
	     struct err *err);

int fek_wrap(const TPM2B_PUBLIC *key, const uint8_t fek[FSCRYPT_FEK_SIZE], const char *label,
	     uint8_t ret[WRAPPED_SIZE], struct err *err);

/* session: a salted policy session, fresh. Once more a few times if a PCR moves meanwhile. */
int fek_unwrap(struct tpm *t, ESYS_TR key, const struct tpm_object *session,
	       const struct pcr_policy *policy, const uint8_t wrapped[WRAPPED_SIZE],
	       const char *label, uint8_t ret[FSCRYPT_FEK_SIZE], struct err *err);
