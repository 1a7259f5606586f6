/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <openssl/bn.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/macros.h"
#include "base/rsa_key.h"
#include "conductor/enrolment/credential.h"
#include "conductor/enrolment/tpm_reader.h"

#define RSA_MIN 2048
#define RSA_MAX 4096

/* TPMA_OBJECT (Part 2, 8.3) */
#define FIXED_TPM             (1u << 1)
#define FIXED_PARENT          (1u << 4)
#define SENSITIVE_DATA_ORIGIN (1u << 5)
#define RESTRICTED            (1u << 16)
#define DECRYPT               (1u << 17)
#define SIGN                  (1u << 18)

/* TPMT_PUBLIC (Part 2, 12.2.4) of an RSA key. */
struct public_area {
	uint64_t type;
	uint64_t name_algorithm;
	uint64_t attributes;
	uint64_t symmetric;
	uint64_t scheme;
	uint64_t hash;
	uint64_t bits;
	uint64_t exponent;
	struct span modulus;
};

static int read_area(struct public_area *area, struct span public, struct err *err)
{
	struct tpm_reader reader = {.rest = public};
	struct tpm_reader *r = &reader;

	if (tpm_read_uint(r, 2) != public.size - 2 || public.size < 2)
		return err_set(err, -EBADMSG, "AK: not a TPM2B_PUBLIC");
	area->type = tpm_read_uint(r, 2);
	if (area->type != TPM_ALG_RSA)
		return err_set(err, -EKEYREJECTED, "AK: type 0x%04" PRIx64 ", expected RSA",
			       area->type);
	area->name_algorithm = tpm_read_uint(r, 2);
	area->attributes = tpm_read_uint(r, 4);
	(void)tpm_read_sized(r); /* authPolicy */
	area->symmetric = tpm_read_uint(r, 2);
	if (area->symmetric != TPM_ALG_NULL) /* it would be a storage key: more fields follow */
		return err_set(err, -EKEYREJECTED, "AK: has a symmetric algorithm 0x%04" PRIx64,
			       area->symmetric);
	area->scheme = tpm_read_uint(r, 2);
	if (area->scheme != TPM_ALG_NULL)
		area->hash = tpm_read_uint(r, 2);
	area->bits = tpm_read_uint(r, 2);
	area->exponent = tpm_read_uint(r, 4);
	area->modulus = tpm_read_sized(r);
	return tpm_read_all(r) ? 0 : err_set(err, -EBADMSG, "AK: not a TPM2B_PUBLIC");
}

/* A restricted key that the TPM made itself signs nothing that only looks like a quote. So only
 * such keys are accepted. */
static int check_attributes(uint64_t attributes, struct err *err)
{
	static const struct {
		unsigned bit;
		const char *name;
	} required[] = {
		{FIXED_TPM, "fixedTPM"},
		{FIXED_PARENT, "fixedParent"},
		{SENSITIVE_DATA_ORIGIN, "sensitiveDataOrigin"},
		{RESTRICTED, "restricted"},
		{SIGN, "sign"},
	};

	for (unsigned i = 0; i < N_ELEMENTS(required); i++)
		if (!(attributes & required[i].bit))
			return err_set(err, -EKEYREJECTED, "AK: is not %s", required[i].name);
	if (attributes & DECRYPT)
		return err_set(err, -EKEYREJECTED, "AK: may decrypt");
	return 0;
}

static int check_area(const struct public_area *area, struct err *err)
{
	int rc = check_attributes(area->attributes, err);

	if (rc < 0)
		return rc;
	if (area->name_algorithm != TPM_ALG_SHA256)
		return err_set(err, -EKEYREJECTED,
			       "AK: name algorithm 0x%04" PRIx64 ", expected SHA-256",
			       area->name_algorithm);
	if (area->scheme != TPM_ALG_RSASSA || area->hash != TPM_ALG_SHA256)
		return err_set(err, -EKEYREJECTED,
			       "AK: scheme 0x%04" PRIx64 " with hash 0x%04" PRIx64
			       ", expected RSASSA with SHA-256",
			       area->scheme, area->hash);
	if (area->bits < RSA_MIN || area->bits > RSA_MAX || area->bits % 8 != 0)
		return err_set(err, -EKEYREJECTED, "AK: %" PRIu64 " bits, expected %d to %d",
			       area->bits, RSA_MIN, RSA_MAX);
	/* A TPM writes the default exponent as 0. */
	if (area->exponent != 0 && area->exponent != RSA_KEY_EXPONENT)
		return err_set(err, -EKEYREJECTED, "AK: exponent %" PRIu64 ", expected %u",
			       area->exponent, RSA_KEY_EXPONENT);
	if (area->modulus.size != area->bits / 8 || !(area->modulus.bytes[0] & 0x80) ||
	    !(area->modulus.bytes[area->modulus.size - 1] & 1))
		return err_set(err, -EKEYREJECTED, "AK: its modulus has not %" PRIu64 " bits",
			       area->bits);
	return 0;
}

int credential_read_ak(struct credential_ak *ret, struct span public, struct err *err)
{
	struct public_area area = {0};
	struct credential_ak ak = {.name = {0, TPM_ALG_SHA256}};
	int rc = read_area(&area, public, err);

	if (rc == 0)
		rc = check_area(&area, err);
	if (rc < 0)
		return rc;
	ak.key = rsa_key_new(area.modulus, RSA_KEY_EXPONENT);
	if (!ak.key || EVP_Digest(public.bytes + 2, public.size - 2, ak.name + 2, NULL,
				  EVP_sha256(), NULL) != 1) {
		credential_ak_release(&ak);
		return err_set(err, -ENOMEM, "AK: out of memory");
	}
	*ret = ak;
	return 0;
}
