/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_bounds.h - which public keys from strangers are used at all.
 *
 * Allowed are RSA keys of 2048 to 4096 bits, of CAs to 8192, whose exponent is odd, at least 3 and
 * at most 32 bits, as a TPM's is; the curves P-256, P-384 and P-521, by their names; Ed25519.
 * Verifying with an exponent of 4,000 bits, or with a curve that a stranger invented, costs dozens
 * of times as much as with an honest key. A larger key than 4096 bits cannot sign a handshake:
 * wolfSSL has no room for its signature.
 *
 * The DER is judged before a library makes a key of it: with a curve that is spelled out, making
 * the key already costs time.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

#define KEY_BOUNDS_RSA_MIN           2048 /* bits */
#define KEY_BOUNDS_RSA_MAX           4096
#define KEY_BOUNDS_RSA_CA_MAX        8192
#define KEY_BOUNDS_EXPONENT_SIZE_MAX 4 /* bytes */

/* DER SubjectPublicKeyInfo. -EBADMSG: it is not one; -EKEYREJECTED: a key that is not allowed.
 * Messages begin with what: "EK". */
int key_bounds_check(const char *what, struct span der, struct err *err);

/* The key of a DER certificate; of a CA's. */
int key_bounds_check_certificate(const char *what, struct span der, struct err *err);
int key_bounds_check_ca_certificate(const char *what, struct span der, struct err *err);

/* The numbers of an RSA key of at most bits_max, big-endian, without leading zeros or with.
 * -EKEYREJECTED. */
int key_bounds_check_rsa(const char *what, struct span modulus, struct span exponent,
			 size_t bits_max, struct err *err);
