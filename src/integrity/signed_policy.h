/* SPDX-License-Identifier: GPL-3.0-or-later */
/* signed_policy.h - a PCR policy that an operator has signed: what the next release will measure.
 *
 * The policy is PolicyPCR over bank, PCRs and values, then PolicyNV: the counter of policies is at
 * most generation. The signature is over what TPM2_PolicyAuthorize checks: RSASSA, SHA-256 of the
 * policy digest and an empty reference. Once the counter of a machine is above its generation, a
 * policy is ended there.
 *
 *	{"version":1,"name":"release 7.1","generation":3,"ends-older":true,
 *	 "policy-nv-index":"0x01800129","pcr-bank":"sha256","pcr":[{"index":7,"value":"<hex>"}],
 *	 "key":"<hex SHA-256 of the key's SubjectPublicKeyInfo>","signature":"<base64url>"}
 *
 * Name and "ends-older" are not in the policy, so not signed: the latter ends what is older than a
 * policy that has just opened, never that one itself.
 */
#pragma once

#include "base/span.h"
#include "integrity/pcr_policy.h"

#define SIGNED_POLICY_VERSION   1
#define SIGNED_POLICY_NAME_SIZE 64
#define SIGNED_POLICY_SIZE_MAX  (16u << 10)

struct signed_policy {
	char name[SIGNED_POLICY_NAME_SIZE]; /* letters, digits, blanks and "._+-" */
	uint64_t generation;
	bool ends_older;
	TPM2_HANDLE counter;
	struct pcr_policy pcrs; /* bank, mask and values, and no more */
	char kid[JWS_KID_SIZE];
	char signature[POLICY_KEY_SIZE / 3 * 4 + 3]; /* base64url of POLICY_KEY_SIZE bytes */
};

/* -EBADMSG: what is wrong in it. The signature is not looked at. */
int signed_policy_parse(struct signed_policy *ret, struct span text, struct err *err);
/* Zero-terminated, freed by the caller; NULL = out of memory. */
char *signed_policy_print(const struct signed_policy *p);

/* PURE. -ENOMEM. */
int signed_policy_digest(const struct signed_policy *p, TPM2B_DIGEST *ret);

/* Fills kid and signature. -EINVAL: no key for this. */
int signed_policy_sign(struct signed_policy *p, const struct jws_key *key, struct err *err);
/* Is it the authority's? -EKEYREJECTED. */
int signed_policy_check(const struct signed_policy *p, const struct policy_authority *a,
			struct err *err);

/* "7=<hex>,11=<hex>" into p->pcrs, whose bank is set; "11" alone stands for a PCR that nothing is
 * measured into. -EINVAL. */
int signed_policy_read_pcrs(struct signed_policy *p, const char *text, struct err *err);
bool signed_policy_name_is_valid(const char *name);

/* Make a policy session fit to use a wrapping key under the authority, by this policy. */
int signed_policy_authorize(struct tpm *t, const struct tpm_object *session,
			    const struct policy_authority *a, const struct signed_policy *p,
			    struct err *err);
