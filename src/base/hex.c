/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/hex.h"

#include <errno.h>
#include <string.h>

void hex_encode(struct span bytes, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.size; i++) {
		*ret++ = digits[bytes.bytes[i] >> 4];
		*ret++ = digits[bytes.bytes[i] & 15];
	}
	*ret = '\0';
}

int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

int hex_decode(const char *text, size_t size_min, size_t size_max, uint8_t *ret, size_t *ret_size)
{
	size_t length = strlen(text);

	if (length % 2 || length / 2 < size_min || length / 2 > size_max)
		return -EBADMSG;
	for (size_t i = 0; i < length / 2; i++) {
		int high = hex_value(text[2 * i]);
		int low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	*ret_size = length / 2;
	return 0;
}
