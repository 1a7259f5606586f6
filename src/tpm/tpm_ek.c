/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "tpm/tpm.h"

/* PolicySecret(endorsement): TCG EK Credential Profile 2.3, annex B.3.3 (template L-1). */
static const TPM2B_PUBLIC ek_template = {
	.publicArea =
		{
			.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED |
					    TPMA_OBJECT_DECRYPT,
			.authPolicy = {.size = 32,
				       .buffer = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8,
						  0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
						  0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64,
						  0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa}},
			.parameters = {.rsaDetail =
					       {
						       .symmetric = {.algorithm = TPM2_ALG_AES,
								     .keyBits = {.aes = 128},
								     .mode = {.aes = TPM2_ALG_CFB}},
						       .scheme = {.scheme = TPM2_ALG_NULL},
						       .keyBits = 2048,
						       .exponent = 0,
					       }},
			.unique = {.rsa = {.size = 256}},
		},
};

static bool is_ek(const TPMT_PUBLIC *p)
{
	const TPMT_PUBLIC *ek = &ek_template.publicArea;

	return p->type == ek->type && p->nameAlg == ek->nameAlg &&
	       p->objectAttributes == ek->objectAttributes &&
	       p->authPolicy.size == ek->authPolicy.size &&
	       memcmp(p->authPolicy.buffer, ek->authPolicy.buffer, ek->authPolicy.size) == 0 &&
	       p->parameters.rsaDetail.keyBits == ek->parameters.rsaDetail.keyBits;
}

static int make_ek(struct tpm *t, struct tpm_ek *ret, struct err *err)
{
	static const TPM2B_SENSITIVE_CREATE no_secret = {0};
	static const TPM2B_DATA no_data = {0};
	static const TPML_PCR_SELECTION no_pcr = {0};
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc = TPM_CALL(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT,
						    ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						    &no_secret, &ek_template, &no_data, &no_pcr,
						    &ret->handle, &public, NULL, NULL, NULL));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "make the endorsement key");
	ret->made.handle = ret->handle;
	ret->public = *public;
	Esys_Free(public);
	return 0;
}

int tpm_ek_provide(struct tpm *t, TPM2_HANDLE handle, struct tpm_ek *ret, struct err *err)
{
	int rc;

	*ret = (struct tpm_ek){.made = TPM_OBJECT_NONE(t)};
	rc = tpm_find(t, handle, &ret->handle, &ret->public, NULL, err);
	if (rc == 0 && is_ek(&ret->public.publicArea))
		return 0;
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return make_ek(t, ret, err);
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
	int rc = tpm_ek_provide(t, TPM_EK_HANDLE, &ek, err);

	if (rc < 0)
		return rc;
	tss_rc = Esys_TR_GetName(t->esys, ek.handle, &name);
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "name of the endorsement key");
	*ret = *name;
	Esys_Free(name);
	return 0;
}
