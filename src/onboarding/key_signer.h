/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_signer.h - TLS signatures by a private key that libcrypto has, made by it: with RSA-2048 five
 * times as many a second as wolfSSL makes (docs/onboarding.md, "What is measured"), and more where
 * the CPU has AVX-512.
 */
#pragma once

#include <openssl/evp.h>

#include "onboarding/tls_channel.h"

/* For tls_identity.signer; key is borrowed and may sign on several threads at once. */
struct tls_signer key_signer(EVP_PKEY *key);

/* The other half of it, for tls_identity.public_key: DER, to be freed by the caller with
 * OPENSSL_free(). -ENOMEM. */
int key_signer_public(EVP_PKEY *key, uint8_t **ret, size_t *ret_size);
