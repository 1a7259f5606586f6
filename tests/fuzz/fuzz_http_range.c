/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Range header of somebody who downloads from us. */
#include "fuzz.h"

#include "http/http_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
	char *header = fuzz_string(bytes, size);

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t first = 0;
		uint64_t length = 0;

		if (http_range_parse(header, sizes[i], &first, &length) != HTTP_RANGE_PART)
			continue;
		HOLDS(length > 0 && first < sizes[i] && length <= sizes[i] - first);
	}
	free(header);
	return 0;
}
