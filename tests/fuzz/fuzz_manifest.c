/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The payload of a manifest, as if its signature were good. */
#include "fuzz.h"

#include "base/json.h"
#include "download/image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct manifest m = {.size = 4711};
	cJSON *payload = NULL;
	struct err err;

	if (json_parse(&payload, span_of(bytes, size), MANIFEST_SIZE_MAX, &err) < 0)
		return 0;
	if (manifest_read_payload(&m, payload, NULL, &err) == 0) {
		HOLDS(manifest_name_is_valid(m.version) && manifest_name_is_valid(m.file));
		HOLDS(m.n_pieces == (m.size + m.piece_size - 1) / m.piece_size);
		HOLDS(manifest_piece_first(&m, m.n_pieces - 1) +
			      manifest_piece_length(&m, m.n_pieces - 1) ==
		      m.size);
		manifest_release(&m);
	} else {
		HOLDS(m.size == 4711 && !m.pieces);
	}
	json_freep(&payload);
	return 0;
}
