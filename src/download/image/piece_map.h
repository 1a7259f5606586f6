/* SPDX-License-Identifier: GPL-3.0-or-later */
/* piece_map.h - which pieces of an image are on disk, and the journal that remembers it.
 *
 * The journal `pieces` (docs/download.md, "On disk") is a header with the image's digest and the
 * boot-id, then one record per piece with a CRC, appended only after the piece's data was
 * synced. Opening it answers what may be believed:
 *
 *   same boot, or stopped cleanly     the records stand
 *   another boot, not stopped cleanly each claimed piece must be hashed first ("checking")
 *   torn tail                         cut off at the last good record
 *   another image's, or no header     discarded, and said so
 *
 * piece_map_open() never rewrites a journal that must be checked first: piece_map_restart()
 * does, when the check is over, so that a second power cut in between is checked again.
 *
 * Calling sequence: piece_map_open -> [piece_map_restart] -> piece_map_append ... ->
 * [piece_map_mark_clean] -> piece_map_close. All block on the disk: call them on the thread
 * pool. Not thread-safe: one call at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/piece_bits.h"
#include "base/span.h"

enum piece_map_found {
	PIECE_MAP_NEW,       /* no journal was there */
	PIECE_MAP_BELIEVED,  /* records stand */
	PIECE_MAP_CHECK,     /* records must be checked against the data */
	PIECE_MAP_DISCARDED, /* there was one, of another image or not readable: see why */
};

struct piece_map {
	char *path;
	int fd; /* -1 = closed */
	uint8_t digest[32];
	uint8_t boot_id[16];
	uint32_t n_pieces;
	uint8_t *bits; /* claimed pieces (piece_bits.h); owned */
};

/* What a journal claims. Pure, for the fuzzer and for open: bits is zeroed by the caller and
 * n_pieces long; *ret_valid_bytes is where the good records end. Returns what piece_map_open
 * would say of it; why is filled for PIECE_MAP_DISCARDED and for a torn tail. */
enum piece_map_found piece_map_parse(struct span journal, const uint8_t digest[32],
				     const uint8_t boot_id[16], uint32_t n_pieces, uint8_t *bits,
				     size_t *ret_valid_bytes, struct err *why);

/* Open or make <directory>/pieces. notice, empty before, gets a line for the log where something
 * was cut off or discarded (its code is then not 0), and may be NULL. */
int piece_map_open(struct piece_map *map, const char *directory, const uint8_t digest[32],
		   const uint8_t boot_id[16], uint32_t n_pieces, enum piece_map_found *ret_found,
		   struct err *notice, struct err *err);

/* Replace the journal by one of this boot that claims just bits; atomically. */
int piece_map_restart(struct piece_map *map, const uint8_t *bits, struct err *err);

/* Append records and sync them. The pieces' data must have been synced before. */
int piece_map_append(struct piece_map *map, const uint32_t *pieces, size_t n, struct err *err);

/* Say that the daemon stopped in good order: everything claimed is on disk. */
int piece_map_mark_clean(struct piece_map *map, struct err *err);

void piece_map_close(struct piece_map *map);

/* The kernel's boot-id; STEWARD_BOOT_ID_FILE in the environment names another file (a test
 * cannot reboot). */
int piece_map_read_boot_id(uint8_t ret[16], struct err *err);
