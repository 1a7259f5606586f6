/* SPDX-License-Identifier: GPL-3.0-or-later */
/* soft_tpm.h - what a TPM would answer, made from keys in memory: right, or wrong in one thing.
 *
 * Written from the TPM 2.0 Library apart from the code it tests: it opens what that closes.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "onboarding/message.h"

#define SOFT_TPM_AK_ATTRIBUTES 0x00050072u /* what tpm2_createak makes */

/* Zeros are what is right. */
struct soft_tpm_ak {
	uint32_t attributes; /* 0 = SOFT_TPM_AK_ATTRIBUTES */
	uint16_t type;       /* 0 = RSA */
	uint16_t name_algorithm;
	uint16_t symmetric;
	uint16_t scheme;
	uint16_t hash;
	uint16_t bits; /* claimed; 0 = those of the key */
	uint32_t exponent;
};

struct soft_tpm_quote {
	uint32_t magic;
	uint16_t type;
	unsigned n_selections; /* 0 = 1; 3 = none */
	uint16_t hash;         /* of the selection */
	uint32_t selection;    /* big-endian, three bytes; 0 = 0xff0000; SOFT_TPM_NOTHING = 0 */
	uint16_t scheme;       /* of the signature */
	bool other_pcrs;       /* the digest is of others than shown */
	EVP_PKEY *signer;      /* NULL = the AK */
};
#define SOFT_TPM_NOTHING 0xffffffffu

struct soft_tpm {
	EVP_PKEY *ek;
	const char *ek_hash;  /* its name algorithm: "SHA384", "SHA512"; NULL = SHA-256 */
	unsigned ek_aes_bits; /* 0 = 128 */
	EVP_PKEY *ak;
	uint8_t pcrs[MESSAGE_PCRS][MESSAGE_PCR_SIZE];
	struct message_bytes public; /* of the AK: TPM2B_PUBLIC */
};

void soft_tpm_init(struct soft_tpm *tpm);
void soft_tpm_release(struct soft_tpm *tpm);

/* Make tpm->public anew. */
void soft_tpm_make_ak(struct soft_tpm *tpm, const struct soft_tpm_ak *ak);

/* DER SubjectPublicKeyInfo. */
void soft_tpm_read_ek(const struct soft_tpm *tpm, struct message_bytes *ret);
/* TPM2B_PUBLIC of the EK; of size 0 where no router shows it. */
void soft_tpm_read_ek_public(const struct soft_tpm *tpm, struct message_bytes *ret);
/* Message 3. */
struct message_proof soft_tpm_proof(const struct soft_tpm *tpm);

/* Open a credential for the AK; false = it is for another key or another TPM. */
bool soft_tpm_activate(const struct soft_tpm *tpm, const struct message_credential *credential,
		       uint8_t ret_secret[32]);

void soft_tpm_quote(const struct soft_tpm *tpm, const struct soft_tpm_quote *quote,
		    struct span extra, struct message_attestation *ret);
