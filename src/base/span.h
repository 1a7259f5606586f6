/* SPDX-License-Identifier: GPL-3.0-or-later */
/* span.h - bytes that belong to somebody else: where they begin and how many. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *bytes;
	size_t size;
};

static inline struct span span_of(const void *bytes, size_t size)
{
	/* Never NULL, not even for nothing: memchr and its like may not be given that. */
	return (struct span){.bytes = bytes ? bytes : (const void *)"", .size = size};
}

static inline struct span span_of_string(const char *text)
{
	return span_of(text, strlen(text));
}
