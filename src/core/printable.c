#include "core/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/macros.h"

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

/* C0, delete, and C1, which a terminal obeys in its UTF-8 form too. */
static bool is_control(const unsigned char *text, size_t length)
{
	return (length == 1 && (text[0] < 0x20 || text[0] == 0x7f)) ||
	       (length == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}

void printable_copy(const char *text, char *ret, size_t size)
{
	size_t used = 0;

	while (*text) {
		const unsigned char *at = (const unsigned char *)text;
		size_t length = character_length(at);
		bool shown = length > 0 && !is_control(at, length);
		char escaped[5];
		size_t n = shown ? length : 4;

		if (used + n >= size)
			break;
		/* Of what is not shown one byte at a time: the rest is no UTF-8 then either. */
		(void)snprintf(escaped, sizeof(escaped), "\\x%02x", *at);
		memcpy(ret + used, shown ? text : escaped, n);
		used += n;
		text += shown ? length : 1;
	}
	ret[used] = '\0';
}
