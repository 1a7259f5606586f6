/* SPDX-License-Identifier: GPL-3.0-or-later */
/* summary_watch.h - takes the summary once a minute, or when it is asked to, and logs what an
 * operator must do something about.
 *
 * With each summary the clock is checked: see summary_take().
 *
 * Calling sequence: summary_watch_init -> summary_watch_start -> summary_watch_take ... ->
 * summary_watch_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/work.h"
#include "conductord/registration.h"
#include "conductord/summary.h"

struct node;
struct work_pool;

struct summary_watch_options {
	struct node *node; /* waits for a summary that is being taken */
	struct work_pool *pool;
	struct registry *registry;
	const struct config *config;
	struct registration *registration;
};

struct summary_watch {
	struct summary_watch_options options;
	struct summary summary; /* of a minute ago or less */
	uv_timer_t minute;
	struct work work;
	bool is_taking;
	bool take_again; /* it was asked for while one was being taken, perhaps too early */
	enum registry_standing told_standing;
	bool told_of_old_ports;
	struct summary taken; /* the worker's while it runs */
	void (*closed)(void *owner);
	void *owner;
};

void summary_watch_init(struct summary_watch *w, const struct summary_watch_options *options);

/* From now on once a minute; the first summary is taken at once. */
void summary_watch_start(struct summary_watch *w);

/* Take one now, not only at the next minute. */
void summary_watch_take(struct summary_watch *w);

/* The node waits for one that is being taken. */
void summary_watch_close(struct summary_watch *w, void (*closed)(void *owner), void *owner);
