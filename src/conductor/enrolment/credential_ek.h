/* SPDX-License-Identifier: GPL-3.0-or-later */
/* credential_ek.h - an endorsement key of any kind, and the seed that only its TPM can open.
 *
 * A credential's keys are derived from a seed, and the seed goes to the TPM encrypted to its EK: by
 * RSA-OAEP (TPM 2.0 Library, Part 1, B.10.3), or by ECDH with a key made for it and KDFe (C.6.3
 * there). The EK's own public area says by which hash (its name algorithm) and which AES: SHA-256
 * and AES-128 for RSA-2048 and P-256, SHA-384 and AES-256 for most larger ones (TCG EK Credential
 * Profile 2.3, annex B). A router that lies about them gets a credential that its TPM cannot open.
 */
#pragma once

#include <openssl/evp.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "onboarding/message.h"

struct credential_ek {
	EVP_PKEY *key;            /* owned */
	const EVP_MD *hash;       /* libcrypto's */
	const EVP_CIPHER *cipher; /* AES in CFB, likewise */
};

/* der: SubjectPublicKeyInfo; public: TPM2B_PUBLIC of the same key, or nothing of one whose hash is
 * SHA-256 and whose cipher AES-128. -EINVAL (no EK that is taken), -EKEYREJECTED (public is of
 * another key, or has another hash or cipher than we have), -EBADMSG (public is malformed),
 * -ENOMEM. */
int credential_ek_read(struct credential_ek *ret, struct span der, struct span public,
		       struct err *err);
void credential_ek_release(struct credential_ek *ek); /* takes a zeroed one */

#define CREDENTIAL_EK_KIND_SIZE 32
/* Of which kind a DER SubjectPublicKeyInfo is, for operators: "RSA-2048", "P-384". */
void credential_ek_kind(struct span der, char ret[CREDENTIAL_EK_KIND_SIZE]);

/* Makes a seed, as large as the hash, and a TPM2B_ENCRYPTED_SECRET of it. -EIO: no random numbers,
 * -ENOMEM. */
int credential_ek_make_seed(const struct credential_ek *ek, uint8_t ret_seed[EVP_MAX_MD_SIZE],
			    struct message_bytes *ret, struct err *err);
