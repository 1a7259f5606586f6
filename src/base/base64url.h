/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64url.h - base64url without padding (RFC 4648, 5; RFC 7515, 2). Strict: no white space,
 * no padding, no bits left over.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Zero-terminated, freed by the caller; NULL = out of memory. */
char *base64url_encode(struct span bytes);

/* The caller frees *ret_bytes. Errors: -EBADMSG, -ENOMEM. */
int base64url_decode(struct span text, uint8_t **ret_bytes, size_t *ret_size);
