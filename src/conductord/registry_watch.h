/* registry_watch.h - a registry that answers no more, and does again: each is told once, and in
 * between it is asked each second.
 *
 * Calling sequence: registry_watch_init -> registry_watch_look ... -> registry_watch_stop ->
 * registry_watch_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/work_pool.h"

struct conductor;

struct registry_watch {
	struct conductor *conductor;
	uv_timer_t timer;
	struct work work;
	bool is_asking;
	bool is_out; /* as it was told */
	uint64_t since_ms;
	bool stops;
	void (*closed)(void *owner);
	void *owner;
};

void registry_watch_init(struct registry_watch *w, struct conductor *c);

/* A call of the registry is over. */
void registry_watch_look(struct registry_watch *w);

/* The conductor stops: who still waits for the registry does so for a moment at most. */
void registry_watch_stop(struct registry_watch *w);

/* No call of the registry is under way. */
void registry_watch_close(struct registry_watch *w, void (*closed)(void *owner), void *owner);
