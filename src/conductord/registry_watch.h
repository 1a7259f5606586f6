/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_watch.h - logs when the registry stops answering and when it answers again; in between
 * it is asked every second.
 *
 * Calling sequence: registry_watch_init -> registry_watch_look ... -> registry_watch_stop ->
 * registry_watch_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/work_pool.h"

struct node;
struct registry;

struct registry_watch_options {
	struct node *node; /* waits for a question that is being asked */
	struct work_pool *pool;
	struct registry *registry;
	void (*answers_again)(void *owner); /* after it did not */
	void *owner;
};

struct registry_watch {
	struct registry_watch_options options;
	uv_timer_t timer;
	struct work work;
	bool is_asking;
	bool is_out; /* as it was logged last */
	uint64_t since_ms;
	bool stops;
	void (*closed)(void *owner);
	void *owner;
};

void registry_watch_init(struct registry_watch *w, const struct registry_watch_options *options);

/* A call of the registry is over. */
void registry_watch_look(struct registry_watch *w);

/* The conductor stops: calls that still wait for the registry may wait only a moment longer. */
void registry_watch_stop(struct registry_watch *w);

/* To be called when no call of the registry is running. */
void registry_watch_close(struct registry_watch *w, void (*closed)(void *owner), void *owner);
