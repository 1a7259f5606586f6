/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ec_key.h - an EC public key out of its numbers, as a TPM or TLS tells them.
 */
#pragma once

#include <openssl/evp.h>

#include "base/span.h"

#define EC_KEY_NUMBER_MAX 66 /* bytes: of P-521 */
#define EC_KEY_POINT_MAX  (1 + 2 * EC_KEY_NUMBER_MAX)

/* curve: "P-256", "P-384", "P-521"; point uncompressed. NULL = there is no such point on the curve,
 * or no memory. Freed with EVP_PKEY_free(). */
EVP_PKEY *ec_key_new(const char *curve, struct span point);
