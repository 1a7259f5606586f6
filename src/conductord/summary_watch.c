/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/summary_watch.h"

#include <time.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/work_pool.h"
#include "conductord/old_ports.h"
#include "node/node.h"

#define MINUTE_MS 60000

void summary_watch_init(struct summary_watch *w, const struct summary_watch_options *options)
{
	w->options = *options;
	(void)uv_timer_init(&options->node->loop, &w->minute);
}

static void on_minute(uv_timer_t *timer)
{
	summary_watch_take(container_of(timer, struct summary_watch, minute));
}

void summary_watch_start(struct summary_watch *w)
{
	(void)uv_timer_start(&w->minute, on_minute, 0, MINUTE_MS);
}

static void run_take(struct work *work)
{
	struct summary_watch *w = container_of(work, struct summary_watch, work);
	const struct summary_watch_options *options = &w->options;

	struct registry_conductor self;
	const bool is_registered = registration_self(options->registration, &self);

	summary_take(&w->taken, options->registry, &options->config->conductor,
		     is_registered ? &self : NULL, NULL, time(NULL));
}

static void tell_of_old_ports(struct summary_watch *w)
{
	if (w->told_of_old_ports || !summary_warns_of_old_ports(&w->summary))
		return;
	w->told_of_old_ports = true;
	log_event(LOG_OLD_PORTS_OPEN, NULL,
		  "every router onboards, and something still listens on port 4505 or 4506; this "
		  "closes them: " OLD_PORTS_COMMAND);
}

static void tell_of_clock(const struct summary_watch *w)
{
	const char *problem = w->summary.clock_problem;

	if (problem[0])
		log_event(LOG_CLOCK_SET_BACK, &(struct log_fields){.reason = problem},
			  "%s: nobody is enrolled, and no token issued", problem);
}

/* Once while it is so. */
static void tell_of_own_row(struct summary_watch *w)
{
	const struct registry_own_row *row = &w->summary.own_row;
	char text[SUMMARY_OWN_ROW_SIZE];

	if (row->standing == w->told_standing)
		return;
	w->told_standing = row->standing;
	summary_own_row_text(&w->summary, w->options.config->name, text);
	if (row->standing == REGISTRY_IS_REMOVED)
		log_event(LOG_CONDUCTOR_REMOVED, NULL, "%s", text);
	else if (row->standing != REGISTRY_STANDS)
		log_event(LOG_CONDUCTOR_TWICE, NULL, "%s", text);
}

static void on_taken(struct work *work)
{
	struct summary_watch *w = container_of(work, struct summary_watch, work);

	w->is_taking = false;
	w->summary = w->taken;
	tell_of_old_ports(w);
	tell_of_clock(w);
	tell_of_own_row(w);
	if (w->take_again)
		summary_watch_take(w);
	node_job_ends(w->options.node);
}

void summary_watch_take(struct summary_watch *w)
{
	struct node *node = w->options.node;

	w->take_again = w->is_taking;
	if (w->is_taking || node->stopping)
		return;
	w->is_taking = true;
	node_job_begins(node);
	work_pool_submit(w->options.pool, &node->loop, &w->work, run_take, on_taken);
}

static void on_closed(uv_handle_t *handle)
{
	struct summary_watch *w = container_of((uv_timer_t *)handle, struct summary_watch, minute);

	w->closed(w->owner);
}

void summary_watch_close(struct summary_watch *w, void (*closed)(void *owner), void *owner)
{
	w->closed = closed;
	w->owner = owner;
	uv_close((uv_handle_t *)&w->minute, on_closed);
}
