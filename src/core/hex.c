#include "core/hex.h"

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
