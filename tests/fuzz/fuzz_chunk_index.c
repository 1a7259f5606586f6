/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A chunk index, behind 8 bytes that say how long the image is. */
#include "fuzz.h"

#include "download/image/chunk_cut.h"
#include "download/image/chunk_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct chunk_index index = {.n = 4711};
	uint64_t image_size = 0;
	uint64_t at = 0;
	struct err err = {0};

	if (size < sizeof(image_size))
		return 0;
	memcpy(&image_size, bytes, sizeof(image_size));
	if (chunk_index_parse(&index, span_of(bytes + 8, size - 8), image_size, &err) < 0) {
		HOLDS(index.n == 4711 && !index.chunks && err.code < 0);
		return 0;
	}
	HOLDS(index.n > 0);
	for (uint32_t i = 0; i < index.n; i++) {
		HOLDS(index.chunks[i].offset == at && index.chunks[i].length > 0 &&
		      index.chunks[i].length <= CHUNK_MAX);
		at += index.chunks[i].length;
	}
	HOLDS(at == image_size);
	chunk_index_release(&index);
	return 0;
}
