/* SPDX-License-Identifier: GPL-3.0-or-later */
/* credential.h - checks what a router's TPM proves. The conductor needs no TPM for it.
 *
 * A credential (TPM 2.0 Library, Part 1, 24: "Credential Protection") is a secret that only the
 * TPM with a certain EK can open, and only while a key with a certain Name is loaded there. The
 * Name includes the key's attributes. So a router that returns proof of the secret has that very
 * key in that very TPM. The key's quote then states the PCRs.
 *
 * The profile is that of docs/onboarding.md: an EK of any kind that the TCG's EK profile has but
 * SM2, AK RSA with RSASSA and SHA-256, quote over sha256 PCRs 0 to 7. Messages say what the TPM
 * showed and what was expected, for the conductor's audit.
 */
#pragma once

#include <openssl/evp.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "onboarding/message.h"

#define CREDENTIAL_NAME_SIZE   34 /* of an object: algorithm and SHA-256 */
#define CREDENTIAL_SECRET_SIZE 32

struct credential_ak {
	EVP_PKEY *key; /* owned */
	uint8_t name[CREDENTIAL_NAME_SIZE];
};

/* Read a TPM2B_PUBLIC and check that it can attest: fixedTPM, fixedParent, sensitiveDataOrigin,
 * restricted, sign, not decrypt; RSA of at least 2048 bits. Its Name is computed. -EBADMSG
 * (malformed), -EKEYREJECTED (may not attest), -ENOMEM. */
int credential_read_ak(struct credential_ak *ret, struct span public, struct err *err);
void credential_ak_release(struct credential_ak *ak);

/* TPM2_MakeCredential: secret, of CREDENTIAL_SECRET_SIZE, for the key of that name in the TPM with
 * the EK that was shown. Errors: those of credential_ek_read() and credential_ek_make_seed(). */
int credential_make(struct message_credential *ret, const struct message_proof *proof,
		    const uint8_t name[CREDENTIAL_NAME_SIZE], struct span secret, struct err *err);

/* Did the AK sign this quote, over extra and these PCR values? -EBADMSG (malformed),
 * -EKEYREJECTED (another quote, another signature), -ENOMEM. */
int credential_check_quote(const struct credential_ak *ak,
			   const struct message_attestation *attestation, struct span extra,
			   struct err *err);
