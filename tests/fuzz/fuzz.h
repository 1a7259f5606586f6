/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz.h - what a target is: bytes in, no crash, no leak, and what was refused left nothing. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Sanitizers stop at abort(): a property that does not hold. */
#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* The input as a string of its own, which sanitizers see the end of; freed by the caller. */
static inline char *fuzz_string(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1);

	HOLDS(text);
	memcpy(text, bytes, size);
	text[size] = '\0';
	return text;
}
