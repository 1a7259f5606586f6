/* SPDX-License-Identifier: GPL-3.0-or-later */
/* piece_bits.h - a bit for each piece of an image: the most significant one of byte 0 is piece 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that the bits of so many pieces take. */
static inline size_t piece_bits_size(uint32_t n_pieces)
{
	return (n_pieces + 7u) / 8u;
}

static inline bool piece_bits_has(const uint8_t *bits, uint32_t piece)
{
	return (bits[piece / 8] >> (7 - piece % 8)) & 1;
}

static inline void piece_bits_clear(uint8_t *bits, uint32_t piece)
{
	bits[piece / 8] = (uint8_t)(bits[piece / 8] & ~(1u << (7 - piece % 8)));
}

static inline void piece_bits_set(uint8_t *bits, uint32_t piece)
{
	bits[piece / 8] = (uint8_t)(bits[piece / 8] | (1u << (7 - piece % 8)));
}
