#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "core/macros.h"
#include "integrity/wrapping_key.h"

/* TCG TPM v2.0 Provisioning Guidance, 7.5.1, with noDA: a locked-out TPM must still unlock. */
static const TPM2B_PUBLIC srk_template = {
	.publicArea =
		{
			.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
					    TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
			.parameters = {.rsaDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
								   .keyBits = {.aes = 128},
								   .mode = {.aes = TPM2_ALG_CFB}},
						     .scheme = {.scheme = TPM2_ALG_NULL},
						     .keyBits = 2048}},
			.unique = {.rsa = {.size = 256}},
		},
};

static bool is_srk(const TPMT_PUBLIC *p)
{
	const TPMT_PUBLIC *srk = &srk_template.publicArea;
	const TPMS_RSA_PARMS *is = &p->parameters.rsaDetail;

	return p->type == srk->type && p->nameAlg == srk->nameAlg &&
	       p->objectAttributes == srk->objectAttributes && p->authPolicy.size == 0 &&
	       is->symmetric.algorithm == TPM2_ALG_AES && is->symmetric.keyBits.aes == 128 &&
	       is->symmetric.mode.aes == TPM2_ALG_CFB && is->keyBits == 2048 && is->exponent == 0;
}

static int make_srk(struct tpm *t, ESYS_TR *ret, struct err *err)
{
	static const TPM2B_SENSITIVE_CREATE no_secret = {0};
	static const TPM2B_DATA no_data = {0};
	static const TPML_PCR_SELECTION no_pcr = {0};
	_cleanup_(tpm_flush) struct tpm_object made = TPM_OBJECT_NONE(t);
	TSS2_RC rc = TPM_CALL(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
						    ESYS_TR_NONE, ESYS_TR_NONE, &no_secret,
						    &srk_template, &no_data, &no_pcr, &made.handle,
						    NULL, NULL, NULL, NULL));

	if (rc != TSS2_RC_SUCCESS) {
		made.handle = ESYS_TR_NONE;
		return tpm_fail(t, rc, err, "make the storage root key");
	}
	rc = TPM_CALL(t, Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, made.handle, ESYS_TR_PASSWORD,
					   ESYS_TR_NONE, ESYS_TR_NONE, SRK_HANDLE, ret));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "make the storage root key persistent");
	return 0;
}

int srk_provide(struct tpm *t, ESYS_TR *ret, struct err *err)
{
	TPM2B_PUBLIC public;
	int rc = tpm_find(t, SRK_HANDLE, ret, &public, NULL, err);

	if (rc == -ENOENT)
		return make_srk(t, ret, err);
	if (rc < 0)
		return rc;
	if (!is_srk(&public.publicArea))
		return err_set(
			err, -EEXIST,
			"the key at 0x%08x is foreign: expected an RSA-2048 storage root key "
			"with the standard template and noDA",
			SRK_HANDLE);
	return 0;
}

int srk_save(struct tpm *t, ESYS_TR srk, uint8_t ret[SRK_SIZE_MAX], size_t *ret_size,
	     struct err *err)
{
	uint8_t *saved = NULL;
	size_t size = 0;
	TSS2_RC rc = Esys_TR_Serialize(t->esys, srk, &saved, &size);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "serialize the storage root key");
	if (size <= SRK_SIZE_MAX) {
		memcpy(ret, saved, size);
		*ret_size = size;
	}
	Esys_Free(saved);
	return size <= SRK_SIZE_MAX
		       ? 0
		       : err_set(err, -E2BIG, "the serialized storage root key has %zu bytes",
				 size);
}

/* What tss2 serializes is a handle, a Name, a kind (1 = a key) and a public area. It believes all
 * of it; the TPM, too, would take a salt for a key with a Name that is not its own. */
static bool is_whole_srk(struct span saved)
{
	TPM2_HANDLE handle;
	TPM2B_NAME name = {0};
	TPM2B_PUBLIC public = {0}; /* tss2 wants it so */
	UINT32 kind;
	uint8_t digest[EVP_MAX_MD_SIZE];
	const size_t hash_size = sizeof(TPM2_ALG_ID);
	size_t area;
	size_t at = 0;

	if (Tss2_MU_UINT32_Unmarshal(saved.bytes, saved.size, &at, &handle) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_NAME_Unmarshal(saved.bytes, saved.size, &at, &name) != TSS2_RC_SUCCESS ||
	    Tss2_MU_UINT32_Unmarshal(saved.bytes, saved.size, &at, &kind) != TSS2_RC_SUCCESS)
		return false;
	area = at + sizeof(public.size);
	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(saved.bytes, saved.size, &at, &public) !=
		    TSS2_RC_SUCCESS ||
	    at != saved.size || handle != SRK_HANDLE || kind != 1 || !is_srk(&public.publicArea))
		return false;
	if (EVP_Digest(saved.bytes + area, at - area, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	return name.size == hash_size + TPM2_SHA256_DIGEST_SIZE &&
	       name.name[0] == TPM2_ALG_SHA256 >> 8 && name.name[1] == (TPM2_ALG_SHA256 & 0xff) &&
	       memcmp(name.name + hash_size, digest, TPM2_SHA256_DIGEST_SIZE) == 0;
}

int srk_restore(struct tpm *t, struct span saved, ESYS_TR *ret, struct err *err)
{
	TSS2_RC rc;

	if (!is_whole_srk(saved))
		return err_set(err, -EBADMSG,
			       "the serialized storage root key is not that of 0x%08x, or not "
			       "whole",
			       SRK_HANDLE);
	rc = Esys_TR_Deserialize(t->esys, saved.bytes, saved.size, ret);
	if (rc != TSS2_RC_SUCCESS) {
		(void)tpm_fail(t, rc, err, "the serialized storage root key");
		return -EBADMSG;
	}
	return 0;
}
