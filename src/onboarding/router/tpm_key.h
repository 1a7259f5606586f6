/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tpm_key.h - a TPM's public keys and signatures, in the forms that TLS and certificates have:
 * RSA, P-256, P-384 and P-521.
 */
#pragma once

#include <tss2/tss2_tpm2_types.h>

#include "base/err.h"
#include "onboarding/message.h"

/* DER SubjectPublicKeyInfo. -EPROTO: a kind of key that we do not use. */
int tpm_key_public(const TPMT_PUBLIC *public, struct message_bytes *ret, struct err *err);

/* By which scheme a key of this kind (TPM2_ALG_RSA, TPM2_ALG_ECC) signs a digest of 32, 48 or 64
 * bytes in TLS 1.3: RSASSA-PSS or ECDSA. -EINVAL. */
int tpm_key_scheme(TPMI_ALG_PUBLIC kind, size_t digest_size, TPMT_SIG_SCHEME *ret, struct err *err);

/* RSA: as it is; ECDSA: in DER. *size: room, then used. -EPROTO. */
int tpm_key_signature(const TPMT_SIGNATURE *signature, uint8_t *ret, size_t *size, struct err *err);
