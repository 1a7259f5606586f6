/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/rollouts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/work_pool.h"
#include "node/node.h"

/* A visit that is under way, with what its answer belongs to. */
struct errand {
	struct rollouts *rollouts;
	char name[TOKEN_NAME_SIZE];
	char version[REGISTRY_ROLLOUT_VERSION_SIZE];
	int64_t created_s;
	struct rollout_visit *visit;
};

static void on_visited(struct rollout_visit *visit, const struct rollout_answer *answer)
{
	struct errand *errand = visit->owner;
	struct rollouts *r = errand->rollouts;
	struct rollout_drive_answer *kept = calloc(1, sizeof(*kept));

	if (kept) {
		memcpy(kept->name, errand->name, sizeof(kept->name));
		kept->created_s = errand->created_s;
		kept->answer = *answer;
		kept->next = r->answers;
		r->answers = kept;
	}
	free(errand);
	free(visit);
	node_job_ends(r->options.node);
}

static void begin_visit(struct rollouts *r, const struct rollout_held *d,
			struct rollout_visit *visit)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (!errand || r->options.node->stopping) {
		free(errand);
		free(visit);
		return;
	}
	errand->rollouts = r;
	memcpy(errand->name, d->name, sizeof(errand->name));
	memcpy(errand->version, d->version, sizeof(errand->version));
	errand->created_s = d->created_s;
	visit->version = errand->version;
	visit->done = on_visited;
	visit->owner = errand;
	node_job_begins(r->options.node);
	rollout_visit_start(visit, r->options.calls);
}

static void tell_operators(struct rollout_held *d)
{
	const uint32_t *counts = d->rollout.counts;

	if (d->has_halted)
		log_event(LOG_ROLLOUT_HALTED, &(struct log_fields){.version = d->version},
			  "rollout %s of %s halted: %u of its routers have failed, and nobody else "
			  "is ordered: see 'show software rollout %s'",
			  d->name, d->version, counts[ROLLOUT_FAILED], d->name);
	if (d->is_over)
		log_event(
			LOG_ROLLOUT_OVER, &(struct log_fields){.version = d->version},
			"rollout %s of %s is over: %u routers have it, %u failed, %u were skipped",
			d->name, d->version, counts[ROLLOUT_DONE], counts[ROLLOUT_FAILED],
			counts[ROLLOUT_SKIPPED]);
	d->has_halted = d->is_over = false;
}

static void run_round(struct work *work)
{
	struct rollouts *r = container_of(work, struct rollouts, work);

	r->found = rollout_drive_round(&r->drive, r->taken, r->steady_ms, time(NULL));
	r->taken = NULL;
}

static void on_round(struct work *work)
{
	struct rollouts *r = container_of(work, struct rollouts, work);

	r->is_running = false;
	r->any = r->found || r->look_again;
	if (r->drive.was_read) {
		rollout_news_take(&r->news, &r->options.node->events, r->drive.rows,
				  r->drive.n_rows);
		r->drive.rows = NULL;
		r->was_read = true;
		r->read_ms = uv_now(&r->options.node->loop);
	}
	for (struct rollout_held *d = r->drive.first; d; d = d->next) {
		if (!d->is_held)
			continue;
		tell_operators(d);
		while (d->visits) {
			struct rollout_visit *visit = d->visits;

			d->visits = visit->next;
			begin_visit(r, d, visit);
		}
	}
	node_job_ends(r->options.node);
}

static void begin_round(struct rollouts *r)
{
	struct node *n = r->options.node;

	if (r->is_running || r->closed || n->stopping)
		return;
	r->idle = 0;
	r->is_running = true;
	r->look_again = false;
	r->steady_ms = (int64_t)uv_now(&n->loop);
	r->taken = r->answers;
	r->answers = NULL;
	node_job_begins(n);
	work_pool_submit(r->options.pool, &n->loop, &r->work, run_round, on_round);
}

static void on_timer(uv_timer_t *timer)
{
	struct rollouts *r = container_of(timer, struct rollouts, timer);

	if (r->any || ++r->idle >= ROLLOUTS_IDLE)
		begin_round(r);
}

void rollouts_init(struct rollouts *r, const struct rollouts_options *options)
{
	r->options = *options;
	r->drive = (struct rollout_drive){
		.registry = options->registry,
		.book = options->book,
		.conductor = options->conductor,
	};
	(void)uv_timer_init(&options->node->loop, &r->timer);
}

void rollouts_start(struct rollouts *r)
{
	(void)uv_timer_start(&r->timer, on_timer, ROLLOUTS_ROUND_MS, ROLLOUTS_ROUND_MS);
	rollouts_look(r); /* whoever downloads an image asks at once what rollouts name */
}

void rollouts_look(struct rollouts *r)
{
	r->any = true;
	/* A round that runs may have read what there was before. */
	r->look_again = r->is_running;
	begin_round(r);
}

bool rollouts_name(const struct rollouts *r, const char *version)
{
	if (!r->was_read || uv_now(&r->options.node->loop) - r->read_ms > ROLLOUTS_KNOWN_MS)
		return true;
	for (size_t i = 0; i < r->news.n; i++)
		if (r->news.rows[i].head.stage != ROLLOUT_OVER &&
		    strcmp(r->news.rows[i].version, version) == 0)
			return true;
	return false;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct rollouts *r = container_of((uv_timer_t *)handle, struct rollouts, timer);

	while (r->answers) {
		struct rollout_drive_answer *answer = r->answers;

		r->answers = answer->next;
		free(answer);
	}
	rollout_drive_release(&r->drive);
	rollout_news_release(&r->news);
	r->closed(r->owner);
}

void rollouts_close(struct rollouts *r, void (*closed)(void *owner), void *owner)
{
	r->closed = closed;
	r->owner = owner;
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
