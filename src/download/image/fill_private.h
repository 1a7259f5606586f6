/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fill_private.h - what the files of fill.h share: fill_find.c looks for chunks in indices,
 * fill_scan.c in files that have none, and fill.c copies what was found.
 */
#pragma once

#include "download/image/fill.h"

#define SEED_NONE UINT32_MAX

/* The number of the chunk in which the byte at offset lies. */
uint32_t fill_chunk_at(const struct chunk_index *index, uint64_t offset);
/* How many bytes of those from first to end are in chunks that a seed has. */
uint64_t fill_found_bytes(const struct fill *f, uint64_t first, uint64_t end);

/* A seed has this chunk. Returns whether it is wanted, and no seed was known to have it. */
bool fill_note_chunk(struct fill *f, uint32_t seed, const struct chunk *chunk);
/* Of the pieces of which chunks were noted, those stay found of which there is enough. */
void fill_judge_found(struct fill *f, const struct manifest *m);

void fill_scan_release(struct fill *f);
