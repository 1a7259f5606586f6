/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hex.h - bytes as lower-case hex digits.
 */
#pragma once

#include "base/span.h"

/* ret has room for two digits a byte and a final zero. */
void hex_encode(struct span bytes, char *ret);

/* size_min to size_max bytes, of which ret has room for the most. -EBADMSG: fewer, more, or not
 * hex; *ret_size is untouched then. */
int hex_decode(const char *text, size_t size_min, size_t size_max, uint8_t *ret, size_t *ret_size);

/* The value of a lower-case hex digit; -1 = it is none. */
int hex_value(char digit);
