/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_range.h - the Range header of a request (RFC 9110, 14.2), one range of bytes at the most.
 *
 * Several ranges, other units and what cannot be read are answered with the whole file, as the
 * RFC allows.
 */
#pragma once

#include <stdint.h>

enum http_range_kind {
	HTTP_RANGE_WHOLE,         /* no range, or none that we serve */
	HTTP_RANGE_PART,          /* *ret_first and *ret_length */
	HTTP_RANGE_UNSATISFIABLE, /* 416 */
};

/* header: the value, or NULL. size: of the file, bytes. */
enum http_range_kind http_range_parse(const char *header, uint64_t size, uint64_t *ret_first,
				      uint64_t *ret_length);
