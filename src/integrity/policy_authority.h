/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy_authority.h - whose signature makes a PCR policy good: an operator's key, and the counter
 * that ends old policies.
 *
 * A wrapping key under an authority has the policy PolicyAuthorize(the key's Name), then
 * PolicyCommandCode(RSA_Decrypt): which PCRs it asks for is not in it, that the operator signs.
 * The key is RSA-2048 with the exponent 65537, which every TPM verifies; as an object of the TPM's
 * it has the public area that systemd and tpm2-tools give a key of a PEM file, so that its Name is
 * theirs too.
 */
#pragma once

#include <stdbool.h>

#include "base/jws.h"
#include "tpm/tpm.h"

#define POLICY_KEY_SIZE 256

struct policy_authority {
	bool is_set;
	uint8_t modulus[POLICY_KEY_SIZE];
	TPM2_HANDLE counter; /* NV index */
};

/* path: a PEM file with the public key. Errors: the file's own; -EINVAL. */
int policy_authority_load(const char *path, TPM2_HANDLE counter, struct policy_authority *ret,
			  struct err *err);
/* The key as libcrypto has it, to be released. -ENOMEM. */
int policy_authority_key(const struct policy_authority *a, struct jws_key *ret);
/* The key as the TPM takes it. */
TPM2B_PUBLIC policy_authority_public(const struct policy_authority *a);
int policy_authority_name(const struct policy_authority *a, TPM2B_NAME *ret);

/* The policy digest of a wrapping key under it. -ENOMEM. */
int policy_authority_digest(const struct policy_authority *a, TPM2B_DIGEST *ret);

/* Is key one that may be an authority? -EINVAL. */
int policy_authority_check(const struct jws_key *key, uint8_t ret_modulus[POLICY_KEY_SIZE],
			   struct err *err);
