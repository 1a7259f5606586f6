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
