/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rsa_key.h - an RSA public key out of its numbers, as a TPM tells them.
 */
#pragma once

#include <openssl/evp.h>

#include "base/span.h"

#define RSA_KEY_EXPONENT 65537u /* what a TPM's 0 stands for: TPM 2.0 part 2, 12.2.3.5 */

/* modulus: big-endian. NULL = libcrypto makes no key of it. Freed with EVP_PKEY_free(). */
EVP_PKEY *rsa_key_new(struct span modulus, unsigned exponent);
void rsa_key_freep(EVP_PKEY **key);
