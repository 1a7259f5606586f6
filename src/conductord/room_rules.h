/* SPDX-License-Identifier: GPL-3.0-or-later */
/* room_rules.h - which images go so that another one has room (docs/download.md, "Room for what is
 * downloaded"). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was used so lately is being served: a router asks again every few seconds, or if its line is
 * slow every few minutes. */
#define ROOM_SERVED_S 600

struct room_image {
	uint64_t size;  /* bytes */
	int64_t used_s; /* Unix seconds: when it was served, or came */
	bool is_kept;   /* it never goes: imported, named by a rollout, or being worked on */
	bool goes;      /* what room_choose() has found */
};

/* Those that were used longest ago go, until all and need more bytes are at most max. Returns
 * false, and none goes, if that is not to be had. */
bool room_choose(struct room_image *images, size_t n, uint64_t need, uint64_t max, int64_t now_s);
