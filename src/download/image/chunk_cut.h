/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chunk_cut.h - cuts bytes where their contents say so: equal contents give equal chunks, wherever
 * they lie. FastCDC with normalised chunking (Xia et al., USENIX ATC 2016). Pure.
 *
 * The numbers are a format: everybody must cut alike. They are told in docs/download.md, "The chunk
 * index".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHUNK_MIN     (16u << 10)
#define CHUNK_AVERAGE (64u << 10)
#define CHUNK_MAX     (256u << 10)

/* What each byte adds to the hash. */
struct chunk_gear {
	uint64_t of[256];
};

/* -EIO: libcrypto cannot compute SHA-256. */
int chunk_gear_make(struct chunk_gear *ret, struct err *err);

/* The length of the chunk with which the n bytes begin. Give it CHUNK_MAX bytes, or all that is
 * left, at least one: then it is the same however the bytes came. */
size_t chunk_cut(const struct chunk_gear *gear, const uint8_t *bytes, size_t n);
