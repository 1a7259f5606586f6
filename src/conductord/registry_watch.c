/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/registry_watch.h"

#include "base/log_events.h"
#include "base/macros.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_patience.h"
#include "node/node.h"

#define ASK_MS  1000
#define STOP_MS 2000 /* how long a question that is under way at the end may still take */

static void ask_registry(struct work *work)
{
	struct registry_watch *w = container_of(work, struct registry_watch, work);

	registry_look_again(w->options.registry);
}

/* There is nothing to do: the pool calls us after each of its jobs. */
static void on_asked(struct work *work)
{
	struct registry_watch *w = container_of(work, struct registry_watch, work);

	w->is_asking = false;
	node_job_ends(w->options.node);
}

static void on_timer(uv_timer_t *timer)
{
	struct registry_watch *w = container_of(timer, struct registry_watch, timer);
	const struct registry_watch_options *options = &w->options;

	if (w->is_asking)
		return;
	w->is_asking = true;
	node_job_begins(options->node);
	work_pool_submit(options->pool, &options->node->loop, &w->work, ask_registry, on_asked);
}

static void tell_of_outage(struct registry_watch *w, const struct registry_outage *outage)
{
	w->is_out = true;
	w->since_ms = outage->since_ms;
	log_event(LOG_REGISTRY_SILENT, &(struct log_fields){.reason = outage->why.text},
		  "the registry does not answer, and nobody is let in until it does: %s",
		  outage->why.text);
	(void)uv_timer_start(&w->timer, on_timer, ASK_MS, ASK_MS);
}

static void tell_of_answer(struct registry_watch *w)
{
	w->is_out = false;
	(void)uv_timer_stop(&w->timer);
	log_event(LOG_REGISTRY_ANSWERS, NULL, "the registry answers again, after %llu s",
		  (unsigned long long)(registry_now_ms() - w->since_ms) / 1000);
	w->options.answers_again(w->options.owner);
}

void registry_watch_look(struct registry_watch *w)
{
	struct registry_outage outage;
	const bool is_out = registry_is_out(w->options.registry, &outage);

	if (w->stops || is_out == w->is_out)
		return;
	if (is_out)
		tell_of_outage(w, &outage);
	else
		tell_of_answer(w);
}

void registry_watch_init(struct registry_watch *w, const struct registry_watch_options *options)
{
	w->options = *options;
	(void)uv_timer_init(&options->node->loop, &w->timer);
}

static void on_stop(uv_timer_t *timer)
{
	registry_stop(container_of(timer, struct registry_watch, timer)->options.registry);
}

void registry_watch_stop(struct registry_watch *w)
{
	w->stops = true;
	(void)uv_timer_start(&w->timer, on_stop, w->is_out ? 0 : STOP_MS, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct registry_watch *w = container_of((uv_timer_t *)handle, struct registry_watch, timer);

	w->closed(w->owner);
}

void registry_watch_close(struct registry_watch *w, void (*closed)(void *owner), void *owner)
{
	w->closed = closed;
	w->owner = owner;
	uv_close((uv_handle_t *)&w->timer, on_closed);
}
