/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/wrapping_key.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "integrity/signed_policy.h"

static const TPM2B_SENSITIVE_CREATE no_secret = {0};
static const TPM2B_DATA no_data = {0};
static const TPML_PCR_SELECTION no_pcr = {0};

static const TPMT_PUBLIC key_template = {
	.type = TPM2_ALG_RSA,
	.nameAlg = TPM2_ALG_SHA256,
	.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_NODA |
			    TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_DECRYPT,
	.parameters = {.rsaDetail = {.symmetric = {.algorithm = TPM2_ALG_NULL},
				     .scheme = {.scheme = TPM2_ALG_OAEP,
						.details = {.oaep = {TPM2_ALG_SHA256}}},
				     .keyBits = 2048}},
};

int wrapping_key_create(struct tpm *t, ESYS_TR srk, const struct tpm_object *session,
			const struct pcr_policy *policy, struct wrapping_key *ret, struct err *err)
{
	TPM2B_PUBLIC template = {.publicArea = key_template};
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc;

	if (wrapping_key_policy(policy, &template.publicArea.authPolicy) < 0)
		return err_set(err, -ENOMEM, "policy of the wrapping key: out of memory");
	tpm_session_encrypts(session, TPM_ENCRYPT_BOTH);
	rc = TPM_CALL(t, Esys_Create(t->esys, srk, session->handle, ESYS_TR_NONE, ESYS_TR_NONE,
				     &no_secret, &template, &no_data, &no_pcr, &private, &public,
				     NULL, NULL, NULL));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "create the wrapping key");
	ret->public = *public;
	ret->private = *private;
	Esys_Free(public);
	Esys_Free(private);
	return 0;
}

int wrapping_key_load(struct tpm *t, ESYS_TR srk, const struct tpm_object *session,
		      struct wrapping_key *key, struct tpm_object *ret, struct err *err)
{
	TPM2B_NAME *name = NULL;
	TSS2_RC rc;

	*ret = TPM_OBJECT_NONE(t);
	tpm_session_encrypts(session, TPM_ENCRYPT_NOTHING);
	rc = TPM_CALL(t, Esys_Load(t->esys, srk, session->handle, ESYS_TR_NONE, ESYS_TR_NONE,
				   &key->private, &key->public, &ret->handle));
	if (rc != TSS2_RC_SUCCESS) {
		ret->handle = ESYS_TR_NONE;
		return tpm_fail(t, rc, err, "load the wrapping key");
	}
	rc = Esys_TR_GetName(t->esys, ret->handle, &name);
	if (rc != TSS2_RC_SUCCESS) {
		tpm_flush(ret);
		return tpm_fail(t, rc, err, "name of the wrapping key");
	}
	key->name = *name;
	Esys_Free(name);
	return 0;
}

int wrapping_key_persist(struct tpm *t, const struct tpm_object *loaded, TPM2_HANDLE handle,
			 struct err *err)
{
	ESYS_TR persistent;
	TSS2_RC rc = TPM_CALL(t, Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, loaded->handle,
						   ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						   handle, &persistent));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "make a key persistent at 0x%08x", handle);
	return 0;
}

int wrapping_key_place(struct tpm *t, const struct tpm_object *loaded, const TPM2B_NAME *name,
		       TPM2_HANDLE handle, struct err *err)
{
	TPM2B_NAME found;
	int rc = tpm_find(t, handle, NULL, NULL, &found, err);

	if (rc == 0 && tpm_name_equal(&found, name))
		return 0;
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return wrapping_key_persist(t, loaded, handle, err);
}

int wrapping_key_evict(struct tpm *t, TPM2_HANDLE handle, struct err *err)
{
	ESYS_TR key;
	ESYS_TR none;
	TSS2_RC tss_rc;
	int rc = tpm_find(t, handle, &key, NULL, NULL, err);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	tss_rc = TPM_CALL(t, Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, key, ESYS_TR_PASSWORD,
					       ESYS_TR_NONE, ESYS_TR_NONE, handle, &none));
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "evict the wrapping key at 0x%08x", handle);
	return 0;
}

static int authorize_first(struct tpm *t, const struct tpm_object *session,
			   const struct pcr_policy *policy, struct err *err)
{
	if (policy->authority.is_set)
		return signed_policy_authorize(t, session, &policy->authority, policy->by, err);
	return pcr_policy_authorize(t, session, policy, err);
}

int wrapping_key_authorize(struct tpm *t, const struct tpm_object *session,
			   const struct pcr_policy *policy, struct err *err)
{
	int rc = authorize_first(t, session, policy, err);

	return rc == 0 && policy->lock.index
		       ? nv_condition_authorize(t, session, &policy->lock, err)
		       : rc;
}

int wrapping_key_policy(const struct pcr_policy *policy, TPM2B_DIGEST *ret)
{
	TPM2B_DIGEST digest;
	int rc = policy->authority.is_set ? policy_authority_digest(&policy->authority, &digest)
					  : pcr_policy_digest(policy, &digest);

	if (rc == 0 && policy->lock.index)
		rc = nv_condition_extend(&policy->lock, &digest);
	if (rc == 0)
		*ret = digest;
	return rc;
}

static bool has_template(const TPMT_PUBLIC *p)
{
	const TPMS_RSA_PARMS *is = &p->parameters.rsaDetail;
	const TPMS_RSA_PARMS *ours = &key_template.parameters.rsaDetail;

	return p->type == key_template.type && p->nameAlg == key_template.nameAlg &&
	       p->objectAttributes == key_template.objectAttributes &&
	       is->scheme.scheme == ours->scheme.scheme &&
	       is->scheme.details.oaep.hashAlg == ours->scheme.details.oaep.hashAlg &&
	       is->keyBits == ours->keyBits && is->exponent == ours->exponent;
}

static bool has_policy(const TPMT_PUBLIC *p, const struct pcr_policy *policy)
{
	TPM2B_DIGEST digest;

	return wrapping_key_policy(policy, &digest) == 0 && p->authPolicy.size == digest.size &&
	       memcmp(p->authPolicy.buffer, digest.buffer, digest.size) == 0;
}

int wrapping_key_owner(struct tpm *t, TPM2_HANDLE handle, const TPM2B_NAME *known, size_t n_known,
		       const struct pcr_policy *policy, enum key_owner *ret, struct err *err)
{
	static const struct pcr_policy no_pcrs = {0};
	TPM2B_PUBLIC public;
	TPM2B_NAME name;
	int rc = tpm_find(t, handle, NULL, &public, &name, err);
	bool ours;

	if (rc == -ENOENT) {
		*ret = KEY_ABSENT;
		return 0;
	}
	if (rc < 0)
		return rc;
	ours = has_policy(&public.publicArea, &no_pcrs) || has_policy(&public.publicArea, policy);
	for (size_t i = 0; i < n_known; i++)
		ours |= tpm_name_equal(&known[i], &name);
	*ret = ours && has_template(&public.publicArea) ? KEY_OURS : KEY_FOREIGN;
	return 0;
}

int wrapping_key_is_like_ours(struct tpm *t, TPM2_HANDLE handle, bool *ret, struct err *err)
{
	TPM2B_PUBLIC public;
	int rc = tpm_find(t, handle, NULL, &public, NULL, err);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	*ret = rc == 0 && has_template(&public.publicArea);
	return 0;
}
