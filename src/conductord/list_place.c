/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/list_place.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 18 /* of a number that surely fits */

/* What is left begins with the "/" before the next part; only the first part has none. */
static bool is_end(char c)
{
	return c == '\0' || c == '/';
}

static const char *begin_part(const char *at)
{
	return *at == '/' ? at + 1 : at;
}

bool list_place_number(const char **at, int64_t *ret)
{
	const char *begin = begin_part(*at);
	size_t size = strspn(begin, "0123456789");

	if (size == 0 || size > DIGITS_MAX || !is_end(begin[size]))
		return false;
	*ret = strtoll(begin, NULL, 10);
	*at = begin + size;
	return true;
}

bool list_place_word(const char **at, char *ret, size_t size)
{
	const char *begin = begin_part(*at);
	size_t length = strcspn(begin, "/");

	if (length == 0 || length >= size)
		return false;
	memcpy(ret, begin, length);
	ret[length] = '\0';
	*at = begin + length;
	return true;
}

bool list_place_ends(const char *at)
{
	return *at == '\0';
}
