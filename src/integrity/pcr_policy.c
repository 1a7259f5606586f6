/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/pcr_policy.h"

#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <string.h>

#include "base/macros.h"

int pcr_policy_authorize(struct tpm *t, const struct tpm_object *session,
			 const struct pcr_policy *policy, struct err *err)
{
	static const TPM2B_DIGEST values_of_now = {0};
	TPML_PCR_SELECTION selection = tpm_pcr_selection(policy->bank, policy->mask);
	TSS2_RC rc;

	if (policy->mask)
		rc = TPM_CALL(t,
			      Esys_PolicyPCR(t->esys, session->handle, ESYS_TR_NONE, ESYS_TR_NONE,
					     ESYS_TR_NONE, &values_of_now, &selection));
	else
		rc = TPM_CALL(t, Esys_PolicyCommandCode(t->esys, session->handle, ESYS_TR_NONE,
							ESYS_TR_NONE, ESYS_TR_NONE,
							TPM2_CC_RSA_Decrypt));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "policy of the wrapping key");
	return 0;
}

/* SHA-256 over the values, in the order of their indices (TPM 2.0 part 3, 23.7). */
static bool digest_values(const struct pcr_policy *policy, uint8_t ret[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;

	for (unsigned i = 0; good && i < TPM_PCR_COUNT; i++)
		if (policy->mask & (1u << i))
			good = EVP_DigestUpdate(hash, policy->values.values[i].buffer,
						policy->values.values[i].size) == 1;
	good = good && EVP_DigestFinal_ex(hash, ret, NULL) == 1;
	EVP_MD_CTX_free(hash);
	return good;
}

/* policyDigest = SHA-256(32 zeros, command code, its arguments), all big endian (part 3, 23.7 and
 * 23.11). */
int pcr_policy_digest(const struct pcr_policy *policy, TPM2B_DIGEST *ret)
{
	struct __attribute__((packed)) {
		uint8_t before[32];
		uint32_t command;
		union __attribute__((packed)) {
			uint32_t command_code;
			struct __attribute__((packed)) {
				uint32_t count;
				uint16_t bank;
				uint8_t size;
				uint8_t select[TPM_PCR_COUNT / 8];
				uint8_t digest[32];
			} pcr;
		};
	} update = {0};
	_Static_assert(sizeof(update) == 32 + 4 + 4 + 2 + 1 + 3 + 32, "no padding is hashed");
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t size = offsetof(typeof(update), command_code) + sizeof(update.command_code);

	update.command = htobe32(policy->mask ? TPM2_CC_PolicyPCR : TPM2_CC_PolicyCommandCode);
	if (policy->mask) {
		size = sizeof(update);
		update.pcr.count = htobe32(1);
		update.pcr.bank = htobe16(policy->bank);
		update.pcr.size = sizeof(update.pcr.select);
		for (unsigned i = 0; i < sizeof(update.pcr.select); i++)
			update.pcr.select[i] = (uint8_t)(policy->mask >> (8 * i));
		if (!digest_values(policy, digest))
			return -ENOMEM;
		memcpy(update.pcr.digest, digest, sizeof(update.pcr.digest));
	} else {
		update.command_code = htobe32(TPM2_CC_RSA_Decrypt);
	}
	ret->size = 32;
	if (EVP_Digest(&update, size, digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	memcpy(ret->buffer, digest, ret->size);
	return 0;
}
