/* key_bounds.h - which public keys of strangers anything is computed with.
 *
 * RSA of 2048 to 4096 bits whose exponent is odd, at least 3, and of 32 bits as a TPM's is; the
 * curves P-256, P-384 and P-521, by their names; Ed25519. A public exponent of 4,000 bits or a
 * curve of somebody's own costs whoever verifies with it dozens of times what an honest key does.
 *
 * Judged by the DER, before a library has made a key of it: of a curve that is spelled out, that
 * alone is computing.
 */
#pragma once

#include <stdbool.h>

#include "core/err.h"
#include "core/span.h"

#define KEY_BOUNDS_RSA_MIN           2048 /* bits */
#define KEY_BOUNDS_RSA_MAX           4096
#define KEY_BOUNDS_EXPONENT_SIZE_MAX 4 /* bytes */

/* DER SubjectPublicKeyInfo. -EBADMSG: it is none; -EKEYREJECTED: a key that is not computed with.
 * what begins the messages: "EK". */
int key_bounds_check(const char *what, struct span der, struct err *err);

/* The key of a DER certificate. */
int key_bounds_check_certificate(const char *what, struct span der, struct err *err);

/* The numbers of an RSA key, big-endian, without leading zeros or with. -EKEYREJECTED. */
int key_bounds_check_rsa(const char *what, struct span modulus, struct span exponent,
			 struct err *err);
