/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

/* How many bytes the character at text has; 0 = no UTF-8 (RFC 3629). The final zero ends every
 * comparison in time. */
static size_t character_length(const unsigned char *text)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t length;
	} forms[] = {
		{0x00, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
		if (text[0] < forms[i].first_min || text[0] > forms[i].first_max)
			continue;
		if (forms[i].length == 1)
			return 1;
		if (text[1] < forms[i].second_min || text[1] > forms[i].second_max)
			return 0;
		for (size_t at = 2; at < forms[i].length; at++)
			if (text[at] < 0x80 || text[at] > 0xbf)
				return 0;
		return forms[i].length;
	}
	return 0;
}

size_t printable_next(const char *text, unsigned long *ret_character)
{
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const unsigned char *at = (const unsigned char *)text;
	const size_t length = character_length(at);

	*ret_character = length > 0 ? at[0] & first_bits[length] : 0;
	for (size_t i = 1; i < length; i++)
		*ret_character = *ret_character << 6 | (at[i] & 0x3f);
	return length;
}

bool printable_is_shown(unsigned long character)
{
	/* Of Unicode's general categories Cc, Zl, Zp, and what of Cf is not to be seen. */
	static const struct {
		unsigned long first, last;
	} hidden[] = {
		{0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},     {0x61c, 0x61c},
		{0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f}, {0x200b, 0x200f},
		{0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164}, {0xfe00, 0xfe0f},
		{0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3},
		{0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < N_ELEMENTS(hidden); i++)
		if (character >= hidden[i].first && character <= hidden[i].last)
			return false;
	return true;
}

/* Copies one character that may be shown, or escapes one byte of anything else. The bytes that
 * follow such a byte are no UTF-8 by themselves, so they are escaped in turn. Returns how many
 * bytes of text it was. */
static size_t copy_one(const char *text, char ret[5], size_t *ret_n)
{
	unsigned long character;
	size_t length = printable_next(text, &character);

	if (length > 0 && printable_is_shown(character)) {
		memcpy(ret, text, length);
		*ret_n = length;
		return length;
	}
	*ret_n = (size_t)snprintf(ret, 5, "\\x%02x", (unsigned char)*text);
	return 1;
}

void printable_copy(const char *text, char *ret, size_t size)
{
	size_t used = 0;

	while (*text) {
		char one[5];
		size_t n;
		size_t taken = copy_one(text, one, &n);

		if (used + n >= size)
			break;
		memcpy(ret + used, one, n);
		used += n;
		text += taken;
	}
	ret[used] = '\0';
}

void printable_cut(char *text, size_t bytes)
{
	if (strlen(text) <= bytes)
		return;
	while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
		bytes--;
	text[bytes] = '\0';
}
