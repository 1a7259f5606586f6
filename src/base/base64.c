/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/base64.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void base64_write(struct span bytes, char *ret)
{
	(void)EVP_EncodeBlock((uint8_t *)ret, bytes.bytes, (int)bytes.size);
}

char *base64_encode(struct span bytes)
{
	char *text;

	if (bytes.size > INT_MAX / 2)
		return NULL;
	text = malloc(BASE64_LENGTH(bytes.size) + 1);
	if (text)
		base64_write(bytes, text);
	return text;
}

static size_t count_padding(struct span text)
{
	size_t n = 0;

	while (n < 2 && n < text.size && text.bytes[text.size - 1 - n] == '=')
		n++;
	return n;
}

/* libcrypto's decoder takes '=' anywhere and overlooks left-over bits. */
static bool is_strict(struct span text, struct span bytes)
{
	size_t n_last = bytes.size % 3 ? bytes.size % 3 : 3;
	uint8_t last[5];

	if (memchr(text.bytes, '=', text.size - count_padding(text)))
		return false;
	(void)EVP_EncodeBlock(last, bytes.bytes + bytes.size - n_last, (int)n_last);
	return memcmp(last, text.bytes + text.size - 4, 4) == 0;
}

int base64_decode(struct span text, uint8_t **ret_bytes, size_t *ret_size)
{
	size_t size = text.size / 4 * 3;
	uint8_t *bytes;

	if (text.size % 4 != 0 || text.size > INT_MAX / 2)
		return -EBADMSG;
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	/* EVP_DecodeBlock skips white space at either end: then fewer bytes come out. */
	if (EVP_DecodeBlock(bytes, text.bytes, (int)text.size) != (int)size)
		goto refused;
	size -= count_padding(text);
	if (size > 0 && !is_strict(text, span_of(bytes, size)))
		goto refused;
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
refused:
	free(bytes);
	return -EBADMSG;
}
