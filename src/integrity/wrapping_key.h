/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wrapping_key.h - the storage root key (SRK), and the key under it that the FEK is wrapped to.
 *
 * The wrapping key is RSA-2048, for decryption only (OAEP-SHA256), and its policy is the only way
 * to use it: PolicyPCR over chosen PCRs, or PolicyCommandCode(RSA_Decrypt) where there are none, or
 * whatever an operator's key signs (policy_authority.h).
 * It lies at the configured handle or the one after it: a reseal alternates.
 *
 * What is at a handle is ours when it has this template and a policy or a Name that we know;
 * anything else is foreign and never evicted.
 *
 * Errors: those of tpm/tpm.h; -EEXIST where something foreign is in the way.
 */
#pragma once

#include <stdbool.h>

#include "integrity/pcr_policy.h"
#include "tpm/tpm.h"

#define SRK_HANDLE   0x81000001 /* TCG TPM v2.0 Provisioning Guidance, 7.5.1 */
#define SRK_SIZE_MAX 1024       /* serialized: handle, Name and public area */
#define WRAPPED_SIZE 256        /* RSA-2048 */
#define KEY_HANDLES  2

/* Public and wrapped private part: nothing secret, but only this TPM's SRK can load it. */
struct wrapping_key {
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	TPM2B_NAME name;
};

/* The SRK at its handle, RSA-2048 or ECC P-256 as its template says; made, RSA, if nothing is
 * there. -EEXIST: something else is. */
int srk_provide(struct tpm *t, ESYS_TR *ret, struct err *err);
/* As tss2 serializes it. Restored from what was kept, and not from what the bus says today, since
 * an interposer could offer a key of its own. -EBADMSG. */
int srk_save(struct tpm *t, ESYS_TR srk, uint8_t ret[SRK_SIZE_MAX], size_t *ret_size,
	     struct err *err);
int srk_restore(struct tpm *t, struct span saved, ESYS_TR *ret, struct err *err);

/* The SRK that was kept, and a session salted to it. Where it does not lie at its handle any more
 * (evicted, or another program made one of the other kind there), it is made again from the owner's
 * seed, and known by its Name. -EBADMSG: what was kept is not whole. */
struct srk {
	ESYS_TR handle;
	struct tpm_object made; /* to be flushed; none where it lies at its handle */
};
int srk_open(struct tpm *t, struct span saved, struct srk *ret, struct err *err);
void srk_release(struct srk *srk); /* takes a zeroed one */
/* The same where it lies at its handle; nothing is made. */
int srk_session_as_kept(struct tpm *t, struct span saved, TPM2_SE type, struct tpm_object *ret,
			struct err *err);
int srk_session(struct tpm *t, struct span saved, TPM2_SE type, struct tpm_object *ret,
		struct err *err);

/* session: salted HMAC. */
int wrapping_key_create(struct tpm *t, ESYS_TR srk, const struct tpm_object *session,
			const struct pcr_policy *policy, struct wrapping_key *ret, struct err *err);
/* Fills key->name too: ESYS computes it. */
int wrapping_key_load(struct tpm *t, ESYS_TR srk, const struct tpm_object *session,
		      struct wrapping_key *key, struct tpm_object *ret, struct err *err);
/* Make it persistent at handle, where nothing may lie: see wrapping_key_owner(). */
int wrapping_key_persist(struct tpm *t, const struct tpm_object *loaded, TPM2_HANDLE handle,
			 struct err *err);
/* The same, where it may be done already: by a try before, whose end was not heard of. */
int wrapping_key_place(struct tpm *t, const struct tpm_object *loaded, const TPM2B_NAME *name,
		       TPM2_HANDLE handle, struct err *err);
int wrapping_key_evict(struct tpm *t, TPM2_HANDLE handle, struct err *err);

/* Make a policy session fit to use the key: PolicyPCR over bank and mask, or PolicyCommandCode, or
 * by policy->by. The values do not matter. */
int wrapping_key_authorize(struct tpm *t, const struct tpm_object *session,
			   const struct pcr_policy *policy, struct err *err);

/* The digest that such a session ends with, if the PCRs have these values. */
int wrapping_key_policy(const struct pcr_policy *policy, TPM2B_DIGEST *ret);

enum key_owner { KEY_ABSENT, KEY_OURS, KEY_FOREIGN };

/* Whose key is at handle? known: Names from our records, any of which may be empty; policy: one
 * more policy that a key of ours may have. */
int wrapping_key_owner(struct tpm *t, TPM2_HANDLE handle, const TPM2B_NAME *known, size_t n_known,
		       const struct pcr_policy *policy, enum key_owner *ret, struct err *err);

/* Does it have the template of our key, whatever its policy? To be used only when a person has
 * asked to destroy it. If nothing is there: false. */
int wrapping_key_is_like_ours(struct tpm *t, TPM2_HANDLE handle, bool *ret, struct err *err);
