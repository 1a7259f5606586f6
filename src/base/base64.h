/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64.h - base64 with padding (RFC 4648, 4). Strict: there is one text for any bytes, and no
 * other is taken: no white space, no missing padding, no bits left over.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Characters of so many bytes, without the final zero. */
#define BASE64_LENGTH(size) (((size) + 2) / 3 * 4)

/* ret has room for BASE64_LENGTH(bytes.size) and a final zero. */
void base64_write(struct span bytes, char *ret);

/* Zero-terminated, freed by the caller; NULL = out of memory. */
char *base64_encode(struct span bytes);

/* The caller frees *ret_bytes. Errors: -EBADMSG, -ENOMEM. */
int base64_decode(struct span text, uint8_t **ret_bytes, size_t *ret_size);
