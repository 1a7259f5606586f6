/* signature_check.h - signatures of strangers, by libcrypto: of what they cost, see key_bounds.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/span.h"

#define SIGNATURE_POINT_MAX (1 + 2 * 66) /* uncompressed, of P-521 */

/* What an RSA signature was made of, still padded, as many bytes as the modulus: signature to the
 * power of the exponent. *size is the room at ret, and then what was used. -EKEYREJECTED: a key
 * that is beyond the bounds; -EBADMSG, -ENOMEM. */
int signature_recover(struct span modulus, struct span exponent, struct span signature,
		      uint8_t *ret, size_t *size);

/* curve: "P-256", "P-384", "P-521"; point uncompressed; signature in DER. */
bool signature_is_ecdsa(const char *curve, struct span point, struct span digest,
			struct span signature);
