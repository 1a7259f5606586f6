/* SPDX-License-Identifier: GPL-3.0-or-later */
/* signature_check.h - checks strangers' signatures by libcrypto. key_bounds.h limits what that
 * may cost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Applies the public RSA key to a signature: *ret is what was signed, still padded, as long as
 * the modulus. *size is the room at ret, and then the bytes that were used. -EKEYREJECTED:
 * key_bounds.h does not allow the key; -EBADMSG, -ENOMEM. */
int signature_recover(struct span modulus, struct span exponent, struct span signature,
		      uint8_t *ret, size_t *size);

/* curve: "P-256", "P-384", "P-521"; point uncompressed; signature in DER. */
bool signature_is_ecdsa(const char *curve, struct span point, struct span digest,
			struct span signature);
