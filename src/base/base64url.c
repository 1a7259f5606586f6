/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base64url.h"

#include <errno.h>
#include <stdlib.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *base64url_encode(struct span bytes)
{
	char *text = malloc(bytes.size / 3 * 4 + 5);
	char *at = text;
	uint32_t held = 0;
	unsigned n_held = 0;

	if (!text)
		return NULL;
	for (size_t i = 0; i < bytes.size; i++) {
		held = held << 8 | bytes.bytes[i];
		for (n_held += 8; n_held >= 6; n_held -= 6)
			*at++ = alphabet[held >> (n_held - 6) & 63];
	}
	if (n_held > 0)
		*at++ = alphabet[held << (6 - n_held) & 63];
	*at = '\0';
	return text;
}

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

int base64url_decode(struct span text, uint8_t **ret_bytes, size_t *ret_size)
{
	uint8_t *bytes = malloc(text.size / 4 * 3 + 4);
	size_t size = 0;
	uint32_t held = 0;
	unsigned n_held = 0;

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < text.size; i++) {
		int value = value_of(text.bytes[i]);

		if (value < 0)
			goto refused;
		held = held << 6 | (uint32_t)value;
		n_held += 6;
		if (n_held >= 8) {
			n_held -= 8;
			bytes[size++] = (uint8_t)(held >> n_held);
		}
	}
	if (n_held >= 6 || (held & ((1u << n_held) - 1)) != 0)
		goto refused;
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
refused:
	free(bytes);
	return -EBADMSG;
}
