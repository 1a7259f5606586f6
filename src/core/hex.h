/* hex.h - bytes as lower-case hex digits.
 */
#pragma once

#include "core/span.h"

/* ret has room for two digits a byte and a final zero. */
void hex_encode(struct span bytes, char *ret);

/* The value of a lower-case hex digit; -1 = it is none. */
int hex_value(char digit);
