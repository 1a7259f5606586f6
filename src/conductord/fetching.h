/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fetching.h - a conductor that downloads what its routers ask for (docs/download.md, "A conductor
 * that fetches"): what it answers them in place of its node. fetch_rules.h decides.
 *
 * Calling sequence: fetching_init -> fetching_serve_index, fetching_serve_file ... ->
 * fetching_close.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "conductord/available.h"

struct fetch_begun;

struct fetching {
	struct node *node;
	struct available available;
	struct fetch_begun *begun; /* in the last FETCH_REST_MS */
};

void fetching_init(struct fetching *f, struct node *node);
/* See struct node_program. */
bool fetching_serve_index(struct fetching *f, struct http_exchange *x);
bool fetching_serve_file(struct fetching *f, struct http_exchange *x);
void fetching_close(struct fetching *f, void (*closed)(void *owner), void *owner);
