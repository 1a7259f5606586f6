/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "tpm/tpm.h"

/* TCG EK Credential Profile 2.3, annex B: the low range, which only PolicySecret(endorsement) may
 * use (B.3.3, B.3.4), and the high range, which the empty password may use, too (B.4). */
#define LOW                                                                                        \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define HIGH (LOW | TPMA_OBJECT_USERWITHAUTH)

/* "Policy A" of the low range, "policy B" of the high one, which is PolicyOR of A and of what the
 * TPM's maker wrote into an NV index. */
static const TPM2B_DIGEST policy_a_sha256 = {
	.size = 32, .buffer = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
			       0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
			       0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa}};
static const TPM2B_DIGEST policy_b_sha256 = {
	.size = 32, .buffer = {0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34,
			       0x24, 0x14, 0xef, 0xcf, 0xb3, 0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd,
			       0x45, 0x90, 0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0}};
static const TPM2B_DIGEST policy_b_sha384 = {
	.size = 48,
	.buffer = {0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc,
		   0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4,
		   0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09,
		   0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12}};
static const TPM2B_DIGEST policy_b_sha512 = {
	.size = 64,
	.buffer = {0xb8, 0x22, 0x1c, 0xa6, 0x9e, 0x85, 0x50, 0xa4, 0x91, 0x4d, 0xe3, 0xfa, 0xa6,
		   0xa1, 0x8c, 0x07, 0x2c, 0xc0, 0x12, 0x08, 0x07, 0x3a, 0x92, 0x8d, 0x5d, 0x66,
		   0xd5, 0x9e, 0xf7, 0x9e, 0x49, 0xa4, 0x29, 0xc4, 0x1a, 0x6b, 0x26, 0x95, 0x71,
		   0xd5, 0x7e, 0xdb, 0x25, 0xfb, 0xdb, 0x18, 0x38, 0x42, 0x56, 0x08, 0xb4, 0x13,
		   0xcd, 0x61, 0x6a, 0x5f, 0x6d, 0xb5, 0xb6, 0x07, 0x1a, 0xf9, 0x9b, 0xea}};

#define CERTIFICATES      0x01c00000u /* NV indices (2.2.1.4) */
#define FIRST_CERTIFICATE 0x01c00002u /* of template L-1 */

/* A kind of EK, and the handle by which its maker keeps it there: 0x81010000 and the low byte of
 * the NV index of its certificate (2.2.1.4), but for the first. */
static const struct kind {
	TPM2_HANDLE handle;
	TPMI_ALG_PUBLIC type;
	TPMI_ALG_HASH hash;
	TPMA_OBJECT attributes;
	const TPM2B_DIGEST *policy;
	UINT16 aes_bits;
	UINT16 size;         /* bits of RSA; TPM_ECC_CURVE */
	UINT16 unique_bytes; /* zeros, in each number of unique */
} kinds[] = {
	{TPM_EK_HANDLE, TPM2_ALG_RSA, TPM2_ALG_SHA256, LOW, &policy_a_sha256, 128, 2048, 256},
	{0x8101000a, TPM2_ALG_ECC, TPM2_ALG_SHA256, LOW, &policy_a_sha256, 128, TPM2_ECC_NIST_P256,
	 32},
	{0x81010012, TPM2_ALG_RSA, TPM2_ALG_SHA256, HIGH, &policy_b_sha256, 128, 2048, 0},
	{0x81010014, TPM2_ALG_ECC, TPM2_ALG_SHA256, HIGH, &policy_b_sha256, 128, TPM2_ECC_NIST_P256,
	 0},
	{0x81010016, TPM2_ALG_ECC, TPM2_ALG_SHA384, HIGH, &policy_b_sha384, 256, TPM2_ECC_NIST_P384,
	 0},
	{0x81010018, TPM2_ALG_ECC, TPM2_ALG_SHA512, HIGH, &policy_b_sha512, 256, TPM2_ECC_NIST_P521,
	 0},
	{0x8101001c, TPM2_ALG_RSA, TPM2_ALG_SHA384, HIGH, &policy_b_sha384, 256, 3072, 0},
};

/* Which kind is made where there is no EK at handle. */
static const struct kind *kind_of_handle(TPM2_HANDLE handle)
{
	for (unsigned i = 0; i < N_ELEMENTS(kinds); i++)
		if (kinds[i].handle == handle)
			return &kinds[i];
	return &kinds[0];
}

static TPM2B_PUBLIC template_of(const struct kind *kind)
{
	const TPMT_SYM_DEF_OBJECT aes = {.algorithm = TPM2_ALG_AES,
					 .keyBits = {.aes = kind->aes_bits},
					 .mode = {.aes = TPM2_ALG_CFB}};
	TPM2B_PUBLIC template = {.publicArea = {.type = kind->type,
						.nameAlg = kind->hash,
						.objectAttributes = kind->attributes,
						.authPolicy = *kind->policy}};
	TPMT_PUBLIC *area = &template.publicArea;

	if (kind->type == TPM2_ALG_RSA) {
		area->parameters.rsaDetail = (TPMS_RSA_PARMS){.symmetric = aes,
							      .scheme = {.scheme = TPM2_ALG_NULL},
							      .keyBits = kind->size};
		area->unique.rsa.size = kind->unique_bytes;
	} else {
		area->parameters.eccDetail = (TPMS_ECC_PARMS){.symmetric = aes,
							      .scheme = {.scheme = TPM2_ALG_NULL},
							      .curveID = kind->size,
							      .kdf = {.scheme = TPM2_ALG_NULL}};
		area->unique.ecc.x.size = kind->unique_bytes;
		area->unique.ecc.y.size = kind->unique_bytes;
	}
	return template;
}

static bool is_of_kind(const TPMT_PUBLIC *p, const struct kind *kind)
{
	UINT16 size = p->type == TPM2_ALG_RSA ? p->parameters.rsaDetail.keyBits
					      : p->parameters.eccDetail.curveID;

	return p->type == kind->type && p->nameAlg == kind->hash &&
	       p->objectAttributes == kind->attributes &&
	       p->authPolicy.size == kind->policy->size &&
	       memcmp(p->authPolicy.buffer, kind->policy->buffer, kind->policy->size) == 0 &&
	       size == kind->size;
}

/* NULL = it is no EK. */
static const struct kind *kind_of(const TPMT_PUBLIC *p)
{
	for (unsigned i = 0; i < N_ELEMENTS(kinds); i++)
		if (is_of_kind(p, &kinds[i]))
			return &kinds[i];
	return NULL;
}

static int make_ek(struct tpm *t, const struct kind *kind, struct tpm_ek *ret, struct err *err)
{
	static const TPM2B_SENSITIVE_CREATE no_secret = {0};
	static const TPM2B_DATA no_data = {0};
	static const TPML_PCR_SELECTION no_pcr = {0};
	const TPM2B_PUBLIC template = template_of(kind);
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc = TPM_CALL(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT,
						    ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						    &no_secret, &template, &no_data, &no_pcr,
						    &ret->handle, &public, NULL, NULL, NULL));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "make the endorsement key");
	ret->made.handle = ret->handle;
	ret->public = *public;
	Esys_Free(public);
	return 0;
}

/* What lies at handle, if that is an EK: of that kind, or of any where that is NULL. */
static int provide(struct tpm *t, TPM2_HANDLE handle, const struct kind *only, struct tpm_ek *ret,
		   struct err *err)
{
	const TPMT_PUBLIC *found = &ret->public.publicArea;
	int rc;

	*ret = (struct tpm_ek){.made = TPM_OBJECT_NONE(t)};
	rc = tpm_find(t, handle, &ret->handle, &ret->public, NULL, err);
	if (rc == 0 && (only ? is_of_kind(found, only) : kind_of(found) != NULL))
		return 0;
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return make_ek(t, only ? only : kind_of_handle(handle), ret, err);
}

int tpm_ek_provide(struct tpm *t, TPM2_HANDLE handle, struct tpm_ek *ret, struct err *err)
{
	return provide(t, handle, NULL, ret, err);
}

TPM2_HANDLE tpm_ek_certificate_index(const struct tpm_ek *ek)
{
	const struct kind *kind = kind_of(&ek->public.publicArea);

	return !kind || kind == &kinds[0] ? FIRST_CERTIFICATE
					  : CERTIFICATES | (kind->handle & 0xffff);
}

bool tpm_ek_is_usual(const struct tpm_ek *ek)
{
	const TPMT_PUBLIC *p = &ek->public.publicArea;

	return p->type == TPM2_ALG_RSA && p->nameAlg == TPM2_ALG_SHA256 &&
	       p->parameters.rsaDetail.symmetric.keyBits.aes == 128;
}

/* The empty password, where the EK's attributes let it in: the policy of such a key is asked for
 * by another hash than our sessions', and in a branch of two. Else PolicySecret(endorsement). */
int tpm_ek_authorize(struct tpm *t, const struct tpm_ek *ek, struct tpm_object *ret,
		     struct err *err)
{
	static const TPM2B_NONCE no_nonce = {0};
	static const TPM2B_DIGEST no_digest = {0};
	bool by_password = ek->public.publicArea.objectAttributes & TPMA_OBJECT_USERWITHAUTH;
	TSS2_RC tss_rc;
	int rc = tpm_session_start(t, ek->handle, by_password ? TPM2_SE_HMAC : TPM2_SE_POLICY, ret,
				   err);

	if (rc < 0 || by_password)
		return rc;
	tss_rc = TPM_CALL(t, Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, ret->handle,
					       ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					       &no_nonce, &no_digest, &no_nonce, 0, NULL, NULL));
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "policy of the endorsement key");
	return 0;
}

void tpm_ek_release(struct tpm_ek *ek)
{
	if (ek->made.tpm)
		tpm_flush(&ek->made);
}

int tpm_ek_name(struct tpm *t, TPM2B_NAME *ret, struct err *err)
{
	_cleanup_(tpm_ek_release) struct tpm_ek ek = {0};
	TPM2B_NAME *name = NULL;
	TSS2_RC tss_rc;
	int rc = provide(t, TPM_EK_HANDLE, kind_of_handle(TPM_EK_HANDLE), &ek, err);

	if (rc < 0)
		return rc;
	tss_rc = Esys_TR_GetName(t->esys, ek.handle, &name);
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "name of the endorsement key");
	*ret = *name;
	Esys_Free(name);
	return 0;
}
