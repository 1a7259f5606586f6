/* SPDX-License-Identifier: GPL-3.0-or-later */
/* picker_private.h - what the files of the picker share: picker.c knows what is held and asked for,
 * picker_pick.c finds what to ask for, and picker_fill.c knows what need not be fetched.
 */
#pragma once

#include "download/engine/picker.h"

uint32_t picker_piece_at(const struct picker *p, uint64_t offset);
const struct partial *picker_find_partial(const struct picker *p, uint32_t piece);
/* All bytes of a piece. */
struct byte_range picker_piece_range(const struct picker *p, uint32_t piece);
/* The first byte from `at` on that was not filled; the end of its piece if all were. */
uint64_t picker_skip_filled(const struct picker *p, uint64_t at);
