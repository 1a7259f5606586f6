/* SPDX-License-Identifier: GPL-3.0-or-later */
/* index.json of a repository. */
#include "fuzz.h"

#include "download/image/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct index index = {0};
	struct err err;

	if (index_parse(&index, span_of(bytes, size), &err) < 0)
		HOLDS(!index.entries);
	for (size_t i = 0; i < index.n_entries; i++)
		HOLDS(manifest_name_is_valid(index.entries[i].version) &&
		      index_find(&index, index.entries[i].version) == &index.entries[i]);
	index_release(&index);
	return 0;
}
