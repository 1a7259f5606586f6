/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pcr_policy.h - what the PCRs must be, so that a key of ours may be used.
 *
 * The two functions are about bank, mask and values alone: PolicyPCR over them, or
 * PolicyCommandCode(RSA_Decrypt) if mask is 0. What a wrapping key asks for besides is in
 * wrapping_key.h, what an operator signs in signed_policy.h.
 */
#pragma once

#include "integrity/nv_counter.h"
#include "integrity/policy_authority.h"
#include "tpm/tpm.h"

struct signed_policy;

/* Which PCRs, and what they must be. */
struct pcr_policy {
	TPM2_ALG_ID bank;
	uint32_t mask; /* 0 = none */
	struct tpm_pcr_values values;
	/* If set, bank, mask and values only tell what they were; what opens is a policy that the
	 * authority has signed, and by is the one that is tried. */
	struct policy_authority authority;
	const struct signed_policy *by;
	struct nv_condition lock; /* asked for behind all that (boot_lock.h); index 0 = none */
};

/* The policy command, in this session. The values do not matter: the TPM takes those of now. */
int pcr_policy_authorize(struct tpm *t, const struct tpm_object *session,
			 const struct pcr_policy *policy, struct err *err);

/* Pure: the digest that such a session ends with, if the PCRs have these values. -ENOMEM. */
int pcr_policy_digest(const struct pcr_policy *policy, TPM2B_DIGEST *ret);
