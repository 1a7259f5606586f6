/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tpm_identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "base/macros.h"
#include "onboarding/router/tpm_key.h"

#define QUOTED_PCRS 0xffu /* 0 to 7 */

static const TPM2B_PUBLIC ak_template = {
	.publicArea =
		{
			.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
					    TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT,
			.parameters =
				{.rsaDetail = {.symmetric = {.algorithm = TPM2_ALG_NULL},
					       .scheme = {.scheme = TPM2_ALG_RSASSA,
							  .details = {.rsassa = {TPM2_ALG_SHA256}}},
					       .keyBits = 2048}},
		},
};

int tpm_identity_open(struct tpm_identity *identity, const char *tcti, struct err *err)
{
	int rc;

	memset(identity, 0, sizeof(*identity));
	rc = tpm_open(&identity->tpm, tcti, TPM_DEVICE_WAIT_MS, err);
	identity->is_open = rc == 0;
	identity->ak = TPM_OBJECT_NONE(&identity->tpm);
	return rc;
}

void tpm_identity_close(struct tpm_identity *identity)
{
	if (!identity->is_open)
		return;
	tpm_flush(&identity->ak);
	tpm_ek_release(&identity->ek);
	tpm_close(&identity->tpm);
	identity->is_open = false;
}

static int make_ak(struct tpm_identity *identity, TPM2B_PUBLIC **ret, struct err *err)
{
	static const TPM2B_SENSITIVE_CREATE no_secret = {0};
	static const TPM2B_DATA no_data = {0};
	static const TPML_PCR_SELECTION no_pcr = {0};
	struct tpm *t = &identity->tpm;
	TSS2_RC rc;

	rc = TPM_CALL(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
					    ESYS_TR_NONE, ESYS_TR_NONE, &no_secret, &ak_template,
					    &no_data, &no_pcr, &identity->ak.handle, ret, NULL,
					    NULL, NULL));
	if (rc != TSS2_RC_SUCCESS) {
		identity->ak.handle = ESYS_TR_NONE;
		return tpm_fail(t, rc, err, "make the attestation key");
	}
	return 0;
}

static int marshal_public(struct tpm *t, const TPM2B_PUBLIC *public, struct message_bytes *ret,
			  const char *whose, struct err *err)
{
	size_t size = 0;
	TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public, ret->bytes, sizeof(ret->bytes), &size);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "the %s key's public part", whose);
	ret->size = size;
	return 0;
}

static int present_ek(struct tpm_identity *identity, TPM2_HANDLE handle, struct message_proof *ret,
		      struct err *err)
{
	struct tpm_ek *ek = &identity->ek;
	int rc = tpm_ek_provide(&identity->tpm, handle, ek, err);

	if (rc == 0)
		rc = tpm_key_public(&ek->public.publicArea, &ret->ek, err);
	return rc < 0 || tpm_ek_is_usual(ek) ? rc
					     : marshal_public(&identity->tpm, &ek->public,
							      &ret->ek_public, "endorsement", err);
}

static int present_certificate(struct tpm_identity *identity, struct message_certificate *ret,
			       struct err *err)
{
	int rc = tpm_ek_certificate(&identity->tpm, &identity->ek, ret->bytes, sizeof(ret->bytes),
				    &ret->size, err);

	if (rc == -ENOENT)
		return err_set(err, rc,
			       "the conductor asks for the certificate of the endorsement key, and "
			       "the TPM has none at NV index 0x%08x: the operator can configure "
			       "the node's endorsement-key there instead",
			       tpm_ek_certificate_index(&identity->ek));
	return rc;
}

/* Where the TPM has it: what is between that certificate and the root of its maker. */
static int present_chain(struct tpm_identity *identity, struct message_proof *ret, struct err *err)
{
	uint8_t bytes[MESSAGE_EK_CHAIN_SIZE];
	size_t sizes[MESSAGE_EK_CHAIN_MAX];
	const struct tpm_ek_chain_room room = {.bytes = bytes,
					       .room = sizeof(bytes),
					       .each_max = MESSAGE_CERTIFICATE_MAX,
					       .sizes = sizes,
					       .max = MESSAGE_EK_CHAIN_MAX};
	const uint8_t *at = bytes;
	unsigned n = 0;
	int rc = tpm_ek_chain(&identity->tpm, &room, &n, err);

	if (rc < 0 || n == 0)
		return rc;
	ret->ek_chain = calloc(1, sizeof(*ret->ek_chain));
	if (!ret->ek_chain)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		struct message_certificate *next = &ret->ek_chain->certificates[i];

		memcpy(next->bytes, at, sizes[i]);
		next->size = sizes[i];
		at += sizes[i];
	}
	ret->ek_chain->n = n;
	return 0;
}

int tpm_identity_present(struct tpm_identity *identity, TPM2_HANDLE ek_handle,
			 bool with_certificate, struct message_proof *ret, struct err *err)
{
	struct message_proof proof = {.with_ek = true};
	TPM2B_PUBLIC *ak = NULL;
	int rc = present_ek(identity, ek_handle, &proof, err);

	if (rc == 0 && with_certificate)
		rc = present_certificate(identity, &proof.ek_certificate, err);
	if (rc == 0 && with_certificate)
		rc = present_chain(identity, &proof, err);
	if (rc == 0)
		rc = make_ak(identity, &ak, err);
	if (rc == 0)
		rc = marshal_public(&identity->tpm, ak, &proof.ak, "attestation", err);
	Esys_Free(ak);
	if (rc == 0)
		*ret = proof;
	else
		free(proof.ek_chain);
	return rc;
}

static int unmarshal_credential(const struct message_credential *credential,
				TPM2B_ID_OBJECT *ret_blob, TPM2B_ENCRYPTED_SECRET *ret_secret,
				struct err *err)
{
	size_t blob_size = 0;
	size_t secret_size = 0;

	if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(credential->blob.bytes, credential->blob.size,
					      &blob_size, ret_blob) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(credential->secret.bytes,
						     credential->secret.size, &secret_size,
						     ret_secret) != TSS2_RC_SUCCESS ||
	    blob_size != credential->blob.size || secret_size != credential->secret.size)
		return err_set(err, -EBADMSG, "the conductor's credential is malformed");
	return 0;
}

int tpm_identity_activate(struct tpm_identity *identity,
			  const struct message_credential *credential,
			  struct message_bytes *ret_secret, struct err *err)
{
	struct tpm *t = &identity->tpm;
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	TPM2B_ID_OBJECT blob = {0};
	TPM2B_ENCRYPTED_SECRET secret = {0};
	TPM2B_DIGEST *found = NULL;
	TSS2_RC tss_rc;
	int rc = unmarshal_credential(credential, &blob, &secret, err);

	if (rc == 0)
		rc = tpm_ek_authorize(t, &identity->ek, &session, err);
	if (rc < 0)
		return rc;
	tpm_session_encrypts(&session, TPM_ENCRYPT_RESPONSE);
	tss_rc = TPM_CALL(t,
			  Esys_ActivateCredential(t->esys, identity->ak.handle, identity->ek.handle,
						  ESYS_TR_PASSWORD, session.handle, ESYS_TR_NONE,
						  &blob, &secret, &found));
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "activate the conductor's credential");
	ret_secret->size = found->size;
	memcpy(ret_secret->bytes, found->buffer, found->size);
	explicit_bzero(found->buffer, sizeof(found->buffer));
	Esys_Free(found);
	return 0;
}

static int marshal_quote(struct tpm *t, const TPM2B_ATTEST *quoted, const TPMT_SIGNATURE *signature,
			 struct message_attestation *ret, struct err *err)
{
	size_t size = 0;
	TSS2_RC rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, ret->signature.bytes,
						    sizeof(ret->signature.bytes), &size);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "the quote's signature");
	if (quoted->size > sizeof(ret->quote.bytes))
		return err_set(err, -EPROTO, "the quote has %u bytes", quoted->size);
	ret->signature.size = size;
	ret->quote.size = quoted->size;
	memcpy(ret->quote.bytes, quoted->attestationData, quoted->size);
	return 0;
}

static int read_pcrs(struct tpm *t, struct message_attestation *ret, struct err *err)
{
	struct tpm_pcr_values values;
	int rc = tpm_pcr_read(t, TPM2_ALG_SHA256, QUOTED_PCRS, &values, err);

	for (unsigned i = 0; rc == 0 && i < MESSAGE_PCRS; i++) {
		if (values.values[i].size != MESSAGE_PCR_SIZE)
			return err_set(err, -EPROTO, "PCR %u has %u bytes", i,
				       values.values[i].size);
		memcpy(ret->pcrs[i], values.values[i].buffer, MESSAGE_PCR_SIZE);
	}
	return rc;
}

int tpm_identity_quote(struct tpm_identity *identity, struct span qualifying_data,
		       struct message_attestation *ret, struct err *err)
{
	static const TPMT_SIG_SCHEME scheme_of_key = {.scheme = TPM2_ALG_NULL};
	const TPML_PCR_SELECTION pcrs = tpm_pcr_selection(TPM2_ALG_SHA256, QUOTED_PCRS);
	TPM2B_DATA data = {.size = (UINT16)qualifying_data.size};
	struct tpm *t = &identity->tpm;
	TPMT_SIGNATURE *signature = NULL;
	TPM2B_ATTEST *quoted = NULL;
	TSS2_RC tss_rc;
	int rc;

	if (qualifying_data.size > sizeof(data.buffer))
		return err_set(err, -EINVAL, "qualifying data of %zu bytes", qualifying_data.size);
	memcpy(data.buffer, qualifying_data.bytes, qualifying_data.size);
	tss_rc = TPM_CALL(t, Esys_Quote(t->esys, identity->ak.handle, ESYS_TR_PASSWORD,
					ESYS_TR_NONE, ESYS_TR_NONE, &data, &scheme_of_key, &pcrs,
					&quoted, &signature));
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "quote");
	rc = marshal_quote(t, quoted, signature, ret, err);
	Esys_Free(quoted);
	Esys_Free(signature);
	return rc < 0 ? rc : read_pcrs(t, ret, err);
}

int tpm_identity_sign(struct tpm_identity *identity, TPM2_HANDLE handle, struct span digest,
		      uint8_t *ret, size_t *size, struct err *err)
{
	const TPMT_TK_HASHCHECK no_ticket = {.tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL};
	TPM2B_DIGEST to_sign = {.size = (UINT16)digest.size};
	struct tpm *t = &identity->tpm;
	TPMT_SIGNATURE *signature = NULL;
	TPM2B_PUBLIC public;
	TPMT_SIG_SCHEME scheme;
	ESYS_TR key;
	TSS2_RC tss_rc;
	int rc = tpm_find(t, handle, &key, &public, NULL, err);

	if (rc == 0)
		rc = tpm_key_scheme(public.publicArea.type, digest.size, &scheme, err);
	if (rc < 0)
		return rc;
	memcpy(to_sign.buffer, digest.bytes, digest.size);
	tss_rc = TPM_CALL(t, Esys_Sign(t->esys, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
				       &to_sign, &scheme, &no_ticket, &signature));
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "sign with the key at 0x%08x", handle);
	rc = tpm_key_signature(signature, ret, size, err);
	Esys_Free(signature);
	return rc;
}

int tpm_identity_public(struct tpm_identity *identity, TPM2_HANDLE handle,
			struct message_bytes *ret, struct err *err)
{
	TPM2B_PUBLIC public;
	int rc = tpm_find(&identity->tpm, handle, NULL, &public, NULL, err);

	if (rc == 0 && public.publicArea.type == TPM2_ALG_ECC &&
	    public.publicArea.parameters.eccDetail.curveID == TPM2_ECC_NIST_P521)
		return err_set(err, -EPROTO,
			       "the key at 0x%08x is on P-521, expected RSA, P-256 or P-384",
			       handle);
	return rc < 0 ? rc : tpm_key_public(&public.publicArea, ret, err);
}
