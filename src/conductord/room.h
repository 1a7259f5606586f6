/* SPDX-License-Identifier: GPL-3.0-or-later */
/* room.h - keeps a conductor's images within repository/max-size: before one is downloaded, others
 * go. room_rules.h decides which.
 */
#pragma once

#include "download/download.h"

struct node;
struct rollouts;

/* As make_room in struct node_program. -ENOSPC: it does not fit, with what is in the way. While the
 * registry does not say what rollouts name, no image goes. */
int room_make(struct node *n, const struct rollouts *r, const struct download *d, uint64_t size,
	      struct image_names *ret_going, struct err *err);
