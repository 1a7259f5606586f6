/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "base/macros.h"
#include "integrity/wrapping_key.h"

#define ATTRIBUTES                                                                                 \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |                    \
	 TPMA_OBJECT_DECRYPT)
#define AES_128_CFB                                                                                \
	{                                                                                          \
		.algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB } \
	}

/* TCG TPM v2.0 Provisioning Guidance, 7.5.1, with noDA: a locked-out TPM must still unlock. The
 * first is ours; systemd makes the second. The other two are the same with another `unique`, as
 * tools make them. */
static const TPM2B_PUBLIC templates[] = {
	{.publicArea = {.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = ATTRIBUTES,
			.parameters = {.rsaDetail = {.symmetric = AES_128_CFB,
						     .scheme = {.scheme = TPM2_ALG_NULL},
						     .keyBits = 2048}},
			.unique = {.rsa = {.size = 256}}}},
	{.publicArea = {.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = ATTRIBUTES,
			.parameters = {.eccDetail = {.symmetric = AES_128_CFB,
						     .scheme = {.scheme = TPM2_ALG_NULL},
						     .curveID = TPM2_ECC_NIST_P256,
						     .kdf = {.scheme = TPM2_ALG_NULL}}}}},
	{.publicArea = {.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = ATTRIBUTES,
			.parameters = {.rsaDetail = {.symmetric = AES_128_CFB,
						     .scheme = {.scheme = TPM2_ALG_NULL},
						     .keyBits = 2048}}}},
	{.publicArea = {.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = ATTRIBUTES,
			.parameters = {.eccDetail = {.symmetric = AES_128_CFB,
						     .scheme = {.scheme = TPM2_ALG_NULL},
						     .curveID = TPM2_ECC_NIST_P256,
						     .kdf = {.scheme = TPM2_ALG_NULL}}},
			.unique = {.ecc = {.x = {.size = 32}, .y = {.size = 32}}}}},
};

static bool is_aes_128_cfb(const TPMT_SYM_DEF_OBJECT *symmetric)
{
	return symmetric->algorithm == TPM2_ALG_AES && symmetric->keyBits.aes == 128 &&
	       symmetric->mode.aes == TPM2_ALG_CFB;
}

static bool is_srk(const TPMT_PUBLIC *p)
{
	const TPMS_RSA_PARMS *rsa = &p->parameters.rsaDetail;
	const TPMS_ECC_PARMS *ecc = &p->parameters.eccDetail;

	if (p->nameAlg != TPM2_ALG_SHA256 || p->objectAttributes != ATTRIBUTES ||
	    p->authPolicy.size != 0)
		return false;
	switch (p->type) {
	case TPM2_ALG_RSA:
		return is_aes_128_cfb(&rsa->symmetric) && rsa->keyBits == 2048 &&
		       rsa->exponent == 0;
	case TPM2_ALG_ECC:
		return is_aes_128_cfb(&ecc->symmetric) && ecc->curveID == TPM2_ECC_NIST_P256;
	default:
		return false;
	}
}

/* Makes the key: loaded, but not persistent. */
static int make(struct tpm *t, const TPM2B_PUBLIC *template, struct tpm_object *ret,
		struct err *err)
{
	static const TPM2B_SENSITIVE_CREATE no_secret = {0};
	static const TPM2B_DATA no_data = {0};
	static const TPML_PCR_SELECTION no_pcr = {0};
	TSS2_RC rc;

	*ret = TPM_OBJECT_NONE(t);
	rc = TPM_CALL(t,
		      Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					 ESYS_TR_NONE, &no_secret, template, &no_data, &no_pcr,
					 &ret->handle, NULL, NULL, NULL, NULL));
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	ret->handle = ESYS_TR_NONE;
	return tpm_fail(t, rc, err, "make the storage root key");
}

static int persist(struct tpm *t, const struct tpm_object *made, ESYS_TR *ret, struct err *err)
{
	TSS2_RC rc = TPM_CALL(t, Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, made->handle,
						   ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						   SRK_HANDLE, ret));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "make the storage root key persistent");
	return 0;
}

int srk_provide(struct tpm *t, ESYS_TR *ret, struct err *err)
{
	_cleanup_(tpm_flush) struct tpm_object made = TPM_OBJECT_NONE(t);
	TPM2B_PUBLIC public;
	int rc = tpm_find(t, SRK_HANDLE, ret, &public, NULL, err);

	if (rc == -ENOENT) {
		rc = make(t, &templates[0], &made, err);
		return rc < 0 ? rc : persist(t, &made, ret, err);
	}
	if (rc < 0)
		return rc;
	if (!is_srk(&public.publicArea))
		return err_set(
			err, -EEXIST,
			"the key at 0x%08x is foreign: expected a storage root key, RSA-2048 "
			"or ECC P-256, with the standard template and noDA",
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

/* tss2 serializes a handle, a Name, a kind (1 = a key) and a public area, and believes all of it
 * when it reads it back. The TPM would not notice a wrong Name either when it is given a salt. So
 * all of it is checked here. */
struct saved_srk {
	TPM2_HANDLE handle;
	TPM2B_NAME name;
	UINT32 kind;
	TPM2B_PUBLIC public;
};

static bool read_saved(struct span saved, struct saved_srk *ret)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	const size_t hash_size = sizeof(TPM2_ALG_ID);
	size_t area;
	size_t at = 0;

	memset(ret, 0, sizeof(*ret)); /* tss2 requires zeroed memory */
	if (Tss2_MU_UINT32_Unmarshal(saved.bytes, saved.size, &at, &ret->handle) !=
		    TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_NAME_Unmarshal(saved.bytes, saved.size, &at, &ret->name) !=
		    TSS2_RC_SUCCESS ||
	    Tss2_MU_UINT32_Unmarshal(saved.bytes, saved.size, &at, &ret->kind) != TSS2_RC_SUCCESS)
		return false;
	area = at + sizeof(ret->public.size);
	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(saved.bytes, saved.size, &at, &ret->public) !=
		    TSS2_RC_SUCCESS ||
	    at != saved.size || ret->handle != SRK_HANDLE || ret->kind != 1 ||
	    !is_srk(&ret->public.publicArea))
		return false;
	if (EVP_Digest(saved.bytes + area, at - area, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	return ret->name.size == hash_size + TPM2_SHA256_DIGEST_SIZE &&
	       ret->name.name[0] == TPM2_ALG_SHA256 >> 8 &&
	       ret->name.name[1] == (TPM2_ALG_SHA256 & 0xff) &&
	       memcmp(ret->name.name + hash_size, digest, TPM2_SHA256_DIGEST_SIZE) == 0;
}

int srk_restore(struct tpm *t, struct span saved, ESYS_TR *ret, struct err *err)
{
	struct saved_srk srk;
	TSS2_RC rc;

	if (!read_saved(saved, &srk))
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

static bool has_name(struct tpm *t, ESYS_TR key, const TPM2B_NAME *expected)
{
	TPM2B_NAME *name = NULL;
	bool has = Esys_TR_GetName(t->esys, key, &name) == TSS2_RC_SUCCESS &&
		   tpm_name_equal(name, expected);

	Esys_Free(name);
	return has;
}

/* The same owner's seed and template make the same key. */
static int make_again(struct tpm *t, const struct saved_srk *srk, struct tpm_object *ret)
{
	for (size_t i = 0; i < N_ELEMENTS(templates); i++) {
		int rc;

		if (templates[i].publicArea.type != srk->public.publicArea.type)
			continue;
		rc = make(t, &templates[i], ret, NULL);
		if (rc < 0)
			return rc;
		if (has_name(t, ret->handle, &srk->name))
			return 0;
		tpm_flush(ret);
	}
	return -ENOENT;
}

/* Nothing lies at its handle, or another SRK: make the one that was kept, by whose Name it is
 * known. -EALREADY: it is there. */
static int provide_again(struct tpm *t, const struct saved_srk *srk, struct tpm_object *ret)
{
	TPM2B_NAME found;
	ESYS_TR persistent;
	int there = tpm_find(t, SRK_HANDLE, NULL, NULL, &found, NULL);
	int rc;

	if (there < 0 && there != -ENOENT)
		return there;
	if (there == 0 && tpm_name_equal(&found, &srk->name))
		return -EALREADY;
	rc = make_again(t, srk, ret);
	if (rc == 0 && there == -ENOENT)
		(void)persist(t, ret, &persistent, NULL);
	return rc;
}

int srk_open(struct tpm *t, struct span saved, struct srk *ret, struct err *err)
{
	struct saved_srk srk;

	*ret = (struct srk){.made = TPM_OBJECT_NONE(t)};
	if (read_saved(saved, &srk) && provide_again(t, &srk, &ret->made) == 0) {
		ret->handle = ret->made.handle;
		return 0;
	}
	return srk_restore(t, saved, &ret->handle, err);
}

void srk_release(struct srk *srk)
{
	if (srk->made.tpm)
		tpm_flush(&srk->made);
}

int srk_session_as_kept(struct tpm *t, struct span saved, TPM2_SE type, struct tpm_object *ret,
			struct err *err)
{
	ESYS_TR key;
	int rc = srk_restore(t, saved, &key, err);

	if (rc < 0)
		return rc;
	rc = tpm_session_start(t, key, type, ret, err);
	/* ESYS cannot read what is at a handle for which it still knows another object, so that
	 * object is closed first. */
	if (rc < 0)
		(void)Esys_TR_Close(t->esys, &key);
	return rc;
}

int srk_session(struct tpm *t, struct span saved, TPM2_SE type, struct tpm_object *ret,
		struct err *err)
{
	_cleanup_(tpm_flush) struct tpm_object made = TPM_OBJECT_NONE(t);
	struct saved_srk srk;
	TSS2_RC refused;
	int rc = srk_session_as_kept(t, saved, type, ret, err);

	if (rc == 0 || rc == -ENODEV || rc == -ENOSPC || !read_saved(saved, &srk))
		return rc;
	refused = t->last_rc;
	if (provide_again(t, &srk, &made) == 0 &&
	    tpm_session_start(t, made.handle, type, ret, NULL) == 0)
		return 0;
	t->last_rc = refused;
	return rc;
}
