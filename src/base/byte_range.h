/* SPDX-License-Identifier: GPL-3.0-or-later */
/* byte_range.h - bytes of an image that follow one another. */
#pragma once

#include <stdint.h>

struct byte_range {
	uint64_t first;
	uint64_t end; /* one past the last */
};
