/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/signed_policy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/macros.h"
#include "integrity/nv_counter.h"

static void free_text(char **text)
{
	free(*text);
}

static struct nv_condition not_ended(const struct signed_policy *p)
{
	return (struct nv_condition){
		.index = p->counter,
		.operation = TPM2_EO_UNSIGNED_LE,
		.value = p->generation,
	};
}

int signed_policy_digest(const struct signed_policy *p, TPM2B_DIGEST *ret)
{
	const struct nv_condition condition = not_ended(p);
	TPM2B_DIGEST digest = {0};

	if (pcr_policy_digest(&p->pcrs, &digest) < 0 ||
	    nv_condition_extend(&condition, &digest) < 0)
		return -ENOMEM;
	*ret = digest;
	return 0;
}

int signed_policy_sign(struct signed_policy *p, const struct jws_key *key, struct err *err)
{
	_cleanup_(free_text) char *signature = NULL;
	uint8_t modulus[POLICY_KEY_SIZE];
	TPM2B_DIGEST digest;
	int rc = policy_authority_check(key, modulus, err);

	if (rc < 0)
		return rc;
	/* RS256 hashes what it signs: the policy digest, followed by the reference, which is empty.
	 */
	if (signed_policy_digest(p, &digest) == 0)
		signature = jws_signature(key, span_of(digest.buffer, digest.size));
	if (!signature)
		return err_set(err, -ENOMEM, "sign the policy: out of memory");
	assert(strlen(signature) < sizeof(p->signature));
	memcpy(p->signature, signature, strlen(signature) + 1);
	memcpy(p->kid, key->kid, sizeof(p->kid));
	return 0;
}

int signed_policy_check(const struct signed_policy *p, const struct policy_authority *a,
			struct err *err)
{
	struct jws_key key = {0};
	TPM2B_DIGEST digest;
	int rc = policy_authority_key(a, &key);

	if (rc < 0 || signed_policy_digest(p, &digest) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0 && strcmp(key.kid, p->kid) != 0)
		rc = err_set(err, -EKEYREJECTED,
			     "it is signed by the key %.16s…, expected the policy-key %.16s…",
			     p->kid, key.kid);
	if (rc == 0 && p->counter != a->counter)
		rc = err_set(err, -EKEYREJECTED,
			     "its policy-nv-index is 0x%08x, that of the key here is 0x%08x",
			     p->counter, a->counter);
	if (rc == 0)
		rc = jws_signature_check(&key, span_of(digest.buffer, digest.size),
					 span_of_string(p->signature), err);
	jws_key_release(&key);
	return rc;
}

static int load_key(struct tpm *t, const struct policy_authority *a, struct tpm_object *ret,
		    struct err *err)
{
	const TPM2B_PUBLIC public = policy_authority_public(a);
	TSS2_RC rc;

	*ret = TPM_OBJECT_NONE(t);
	/* The public key is loaded into a hierarchy other than the null one, because a ticket of
	 * the null hierarchy proves nothing. */
	rc = TPM_CALL(t, Esys_LoadExternal(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
					   &public, ESYS_TR_RH_OWNER, &ret->handle));
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	ret->handle = ESYS_TR_NONE;
	return tpm_fail(t, rc, err, "load the policy-key");
}

static int verify(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *policy,
		  const char *signature, TPMT_TK_VERIFIED **ret_ticket, struct err *err)
{
	TPMT_SIGNATURE of_tpm = {
		.sigAlg = TPM2_ALG_RSASSA,
		.signature = {.rsassa = {.hash = TPM2_ALG_SHA256}},
	};
	TPM2B_PUBLIC_KEY_RSA *const raw = &of_tpm.signature.rsassa.sig;
	TPM2B_DIGEST signed_digest = {.size = TPM2_SHA256_DIGEST_SIZE};
	uint8_t digest[EVP_MAX_MD_SIZE];
	uint8_t *bytes = NULL;
	size_t size = 0;
	TSS2_RC rc;

	if (base64url_decode(span_of_string(signature), &bytes, &size) < 0 ||
	    size > sizeof(raw->buffer) ||
	    EVP_Digest(policy->buffer, policy->size, digest, NULL, EVP_sha256(), NULL) != 1) {
		free(bytes);
		return err_set(err, -EBADMSG, "signature of the policy: not base64url");
	}
	raw->size = (UINT16)size;
	memcpy(raw->buffer, bytes, size);
	free(bytes);
	memcpy(signed_digest.buffer, digest, signed_digest.size);
	rc = TPM_CALL(t, Esys_VerifySignature(t->esys, key->handle, ESYS_TR_NONE, ESYS_TR_NONE,
					      ESYS_TR_NONE, &signed_digest, &of_tpm, ret_ticket));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(t, rc, err, "signature of the policy");
}

static int approve(struct tpm *t, const struct tpm_object *session,
		   const struct policy_authority *a, const struct signed_policy *p, struct err *err)
{
	static const TPM2B_NONCE no_reference = {0};
	_cleanup_(tpm_flush) struct tpm_object key = TPM_OBJECT_NONE(t);
	TPMT_TK_VERIFIED *ticket = NULL;
	TPM2B_DIGEST policy;
	TPM2B_NAME name;
	TSS2_RC tss_rc;
	int rc = load_key(t, a, &key, err);

	if (rc == 0 &&
	    (signed_policy_digest(p, &policy) < 0 || policy_authority_name(a, &name) < 0))
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = verify(t, &key, &policy, p->signature, &ticket, err);
	if (rc < 0)
		return rc;
	tss_rc = TPM_CALL(t, Esys_PolicyAuthorize(t->esys, session->handle, ESYS_TR_NONE,
						  ESYS_TR_NONE, ESYS_TR_NONE, &policy,
						  &no_reference, &name, ticket));
	Esys_Free(ticket);
	if (tss_rc == TSS2_RC_SUCCESS)
		return 0;
	(void)tpm_fail(t, tss_rc, err, "policy by signature");
	/* The session's digest is not the policy's: a PCR has changed in the meantime. */
	if ((tss_rc & (TPM2_RC_FMT1 | 0x3f)) == TPM2_RC_VALUE)
		return err ? err_set(err, -EKEYREJECTED, "%s", err->text) : -EKEYREJECTED;
	return tpm_code(tss_rc);
}

int signed_policy_authorize(struct tpm *t, const struct tpm_object *session,
			    const struct policy_authority *a, const struct signed_policy *p,
			    struct err *err)
{
	const struct nv_condition condition = not_ended(p);
	TSS2_RC tss_rc;
	int rc = pcr_policy_authorize(t, session, &p->pcrs, err);

	if (rc == 0)
		rc = nv_condition_authorize(t, session, &condition, err);
	if (rc == 0)
		rc = approve(t, session, a, p, err);
	if (rc < 0)
		return rc;
	tss_rc = TPM_CALL(t,
			  Esys_PolicyCommandCode(t->esys, session->handle, ESYS_TR_NONE,
						 ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CC_RSA_Decrypt));
	return tss_rc == TSS2_RC_SUCCESS ? 0
					 : tpm_fail(t, tss_rc, err, "policy of the wrapping key");
}
