/* SPDX-License-Identifier: GPL-3.0-or-later */
/* available.h - which versions this conductor's own sources have.
 *
 * They are asked when somebody wants to know and the last time was AVAILABLE_AGE_MS ago. Who wants
 * to know waits for their answers, at most AVAILABLE_WAIT_MS; then what was known before counts, or
 * if nothing was, what came so far. A source that would only fetch a version does not have it: two
 * conductors would else believe each other for ever.
 *
 * Calling sequence: available_init -> available_when_known ... -> available_close.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "download/catalog.h"
#include "download/image/manifest.h"

struct node;
struct http_exchange;
struct available_waiter;

#define AVAILABLE_AGE_MS  10000u
#define AVAILABLE_WAIT_MS 2000u
/* The newest by name. So the index that routers get stays far below INDEX_SIZE_MAX. */
#define AVAILABLE_MAX     1000u

struct available {
	struct node *node;
	struct catalog catalog;
	struct source_list list;
	unsigned awaited; /* sources that have not answered yet */
	uv_timer_t timer;
	bool is_known;
	uint64_t asked_ms;
	char (*versions)[MANIFEST_NAME_SIZE]; /* newest first */
	size_t n;
	struct available_waiter *waiters;
	void (*closed)(void *owner); /* NULL = not closing */
	void *owner;
};

void available_init(struct available *a, struct node *node);
/* Calls then(owner, x) once it is known: now, or later. If the exchange ends first it is not
 * called. */
void available_when_known(struct available *a, struct http_exchange *x,
			  void (*then)(void *owner, struct http_exchange *x), void *owner);
/* As last known. */
bool available_has(const struct available *a, const char *version);
void available_close(struct available *a, void (*closed)(void *owner), void *owner);
