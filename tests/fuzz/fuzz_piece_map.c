/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A journal from a disk that had a power cut. */
#include "fuzz.h"

#include "base/err.h"
#include "download/image/piece_map.h"

#define N_PIECES 77u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint8_t zeros[32];
	uint8_t *bits = calloc(piece_bits_size(N_PIECES), 1); /* exact: one byte more is seen */
	struct err why = {0};
	size_t valid = 0;
	enum piece_map_found found;

	HOLDS(bits);
	found = piece_map_parse(span_of(bytes, size), zeros, zeros, N_PIECES, bits, &valid, &why);
	HOLDS(valid <= size);
	HOLDS(found != PIECE_MAP_DISCARDED || (valid == 0 && why.code != 0));
	HOLDS(found == PIECE_MAP_DISCARDED || valid == size || why.code != 0);
	free(bits);
	return 0;
}
