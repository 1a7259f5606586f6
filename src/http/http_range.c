/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_range.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"

static bool take_number(const char **at, uint64_t *ret)
{
	const char *start = *at;
	uint64_t value = 0;

	for (; isdigit((unsigned char)**at); (*at)++) {
		unsigned digit = (unsigned)(**at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return *at > start;
}

static enum http_range_kind parse_suffix(const char *at, uint64_t size, uint64_t *ret_first,
					 uint64_t *ret_length)
{
	uint64_t length;

	if (!take_number(&at, &length) || *at)
		return HTTP_RANGE_WHOLE;
	if (length == 0 || size == 0)
		return HTTP_RANGE_UNSATISFIABLE;
	*ret_length = MIN(length, size);
	*ret_first = size - *ret_length;
	return HTTP_RANGE_PART;
}

enum http_range_kind http_range_parse(const char *header, uint64_t size, uint64_t *ret_first,
				      uint64_t *ret_length)
{
	uint64_t first;
	uint64_t last = UINT64_MAX;

	if (!header || strncasecmp(header, "bytes=", 6) != 0)
		return HTTP_RANGE_WHOLE;
	header += 6;
	if (*header == '-')
		return parse_suffix(header + 1, size, ret_first, ret_length);
	if (!take_number(&header, &first) || *header++ != '-')
		return HTTP_RANGE_WHOLE;
	if (*header && !take_number(&header, &last))
		return HTTP_RANGE_WHOLE;
	if (*header || last < first)
		return HTTP_RANGE_WHOLE;
	if (first >= size)
		return HTTP_RANGE_UNSATISFIABLE;
	*ret_first = first;
	*ret_length = MIN(last, size - 1) - first + 1;
	return HTTP_RANGE_PART;
}
