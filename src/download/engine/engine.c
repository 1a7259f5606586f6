/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "download/engine/engine_private.h"

struct engine_action *engine_add_action(struct engine_actions *out, enum engine_action_type type)
{
	struct engine_action *action;

	assert(out->n < ENGINE_ACTIONS_MAX);
	action = &out->items[out->n++];
	memset(action, 0, sizeof(*action));
	action->type = type;
	return action;
}

static void set_error(struct engine *e, const char *reason)
{
	(void)snprintf(e->error, sizeof(e->error), "%s", reason ? reason : "");
}

void engine_init(struct engine *e, const struct engine_limits *limits, uint64_t seed,
		 uint64_t now_ms)
{
	memset(e, 0, sizeof(*e));
	e->limits = *limits;
	e->seed = seed ? seed : 1;
	e->last_ms = now_ms;
	e->attempt = 1;
	e->recorded_attempt = 1;
	e->active = SOURCE_NOBODY;
	e->partner = SOURCE_NOBODY;
}

void engine_release(struct engine *e)
{
	picker_release(&e->picker);
}

static const struct source *find_source(const struct source *sources, unsigned n,
					const struct engine_source_spec *spec)
{
	for (unsigned i = 0; i < n; i++)
		if (sources[i].kind == spec->kind && strcmp(sources[i].name, spec->name) == 0)
			return &sources[i];
	return NULL;
}

void engine_set_sources(struct engine *e, const struct engine_source_spec *specs, unsigned n)
{
	struct source old[SOURCES_MAX];
	unsigned n_old = e->n_sources;

	assert(e->in_flight == 0 && n <= SOURCES_MAX);
	memcpy(old, e->sources, sizeof(old));
	for (unsigned i = 0; i < n; i++) {
		const struct source *known = find_source(old, n_old, &specs[i]);

		if (known) {
			e->sources[i] = *known;
		} else {
			source_init(&e->sources[i], specs[i].name, specs[i].kind);
			source_begin_attempt(&e->sources[i], e->limits.window);
		}
		e->sources[i].allowance.configured = specs[i].concurrency;
	}
	e->n_sources = n;
	picker_disown(&e->picker);
}

int engine_set_image(struct engine *e, const struct engine_image *image, const uint8_t *verified)
{
	struct picker picker;
	int rc;

	assert(e->in_flight == 0);
	rc = picker_init(&picker, image->size, image->piece_size, verified);
	if (rc < 0)
		return rc;
	picker_release(&e->picker);
	e->picker = picker;
	memcpy(e->digest, image->digest, sizeof(e->digest));
	e->has_image = true;
	return 0;
}

static void stop_asking(struct engine *e, struct engine_actions *out)
{
	engine_cancel_requests(e, SOURCE_NOBODY, out);
	engine_stop_discovery(e, out);
	e->active = SOURCE_NOBODY;
	e->partner = SOURCE_NOBODY;
}

void engine_stop(struct engine *e, enum engine_state state, const char *reason,
		 struct engine_actions *out)
{
	set_error(e, reason);
	stop_asking(e, out);
	engine_set_state(e, state, out);
}

void engine_finish(struct engine *e, struct engine_actions *out)
{
	engine_stop_discovery(e, out);
	engine_cancel_requests(e, SOURCE_NOBODY, out);
	if (e->in_flight > 0)
		return; /* when the last request ends, this is called again */
	set_error(e, NULL);
	engine_set_state(e, ENGINE_FINISHING, out);
	engine_add_action(out, ACTION_FINISH);
}

void engine_go_on(struct engine *e, struct engine_actions *out)
{
	switch (e->disk) {
	case DISK_UNKNOWN:
		e->disk = DISK_OPENING;
		engine_add_action(out, ACTION_OPEN);
		/* fallthrough */
	case DISK_OPENING:
	case DISK_PREPARING:
		engine_set_state(e, ENGINE_DISCOVERING, out);
		return;
	case DISK_UNCHECKED:
		e->disk = DISK_CHECKING;
		engine_add_action(out, ACTION_CHECK);
		/* fallthrough */
	case DISK_CHECKING:
		engine_set_state(e, ENGINE_CHECKING, out);
		return;
	case DISK_EMPTY:
		engine_begin_discovery(e, out);
		return;
	case DISK_READY:
		if (picker_is_complete(&e->picker))
			engine_finish(e, out);
		else
			engine_begin_discovery(e, out);
		return;
	}
}

static void on_local_error(struct engine *e, const struct engine_event *event,
			   struct engine_actions *out)
{
	bool fatal = event->type == EVENT_LOCAL_ERROR && event->local_error.fatal;

	/* After an error of the disk only the journal is believed, so it is read anew: when a sync
	 * has failed, the next one may succeed although the bytes are lost. */
	e->disk = DISK_UNKNOWN;
	if (engine_state_is_running(e->state))
		engine_stop(e, fatal ? ENGINE_FAILED : ENGINE_PAUSED, event->reason, out);
}

/* Nobody knows who damaged the file, so no source is to blame. The first time may be an accident.
 * The second time the download pauses, because it might otherwise fetch for ever. */
static void on_damaged(struct engine *e, const struct engine_event *event,
		       struct engine_actions *out)
{
	if (e->was_damaged || e->state != ENGINE_FINISHING) {
		on_local_error(e, event, out);
		return;
	}
	e->was_damaged = true;
	e->disk = DISK_UNKNOWN;
	set_error(e, event->reason);
	engine_go_on(e, out);
}

static void on_opened(struct engine *e, const struct engine_event *event,
		      struct engine_actions *out)
{
	e->disk = event->opened.unchecked ? DISK_UNCHECKED : e->has_image ? DISK_READY : DISK_EMPTY;
	if (engine_state_is_running(e->state) && e->state != ENGINE_WAITING_PEER)
		engine_go_on(e, out);
}

static void on_checked(struct engine *e, const struct engine_event *event,
		       struct engine_actions *out)
{
	(void)event;
	e->disk = DISK_READY;
	if (e->state == ENGINE_CHECKING)
		engine_go_on(e, out);
}

static void on_prepared(struct engine *e, const struct engine_event *event,
			struct engine_actions *out)
{
	(void)event;
	e->disk = DISK_READY;
	if (e->state != ENGINE_DISCOVERING)
		return;
	if (e->discovery == DISCOVERY_RUNS)
		engine_start_downloading(e, out);
	else
		engine_go_on(
			e, out); /* the source whose manifest was prepared is not asked any more */
}

static void on_sources_forbidden(struct engine *e, const struct engine_event *event,
				 struct engine_actions *out)
{
	if (e->state != ENGINE_DISCOVERING && e->state != ENGINE_DOWNLOADING)
		return;
	set_error(e, event->reason);
	stop_asking(e, out);
	engine_go_on(e, out);
}

static void on_run(struct engine *e, const struct engine_event *event, struct engine_actions *out)
{
	(void)event;
	if (e->state != ENGINE_QUEUED)
		return;
	if (engine_must_wait(e))
		engine_wait_for_peer(e, out);
	else
		engine_go_on(e, out);
}

static void on_pause(struct engine *e, const struct engine_event *event, struct engine_actions *out)
{
	engine_stop(e, ENGINE_PAUSED, event->reason, out);
}

static void on_resume(struct engine *e, const struct engine_event *event,
		      struct engine_actions *out)
{
	(void)event;
	e->was_damaged = false;
	set_error(e, NULL);
	engine_set_state(e, ENGINE_QUEUED, out);
}

static void on_cancel(struct engine *e, const struct engine_event *event,
		      struct engine_actions *out)
{
	engine_stop(e, ENGINE_CANCELLED, event->reason, out);
}

static void on_restart(struct engine *e, const struct engine_event *event,
		       struct engine_actions *out)
{
	(void)event;
	assert(engine_state_is_ended(e->state));
	e->attempt = 1;
	e->used_ms = 0;
	e->was_damaged = false;
	set_error(e, NULL);
	for (unsigned i = 0; i < e->n_sources; i++)
		source_begin_anew(&e->sources[i]);
	engine_set_state(e, ENGINE_QUEUED, out);
}

static void on_finished(struct engine *e, const struct engine_event *event,
			struct engine_actions *out)
{
	(void)event;
	if (e->state == ENGINE_FINISHING)
		engine_set_state(e, ENGINE_COMPLETE, out);
}

static void on_recorded(struct engine *e, const struct engine_event *event,
			struct engine_actions *out)
{
	(void)out;
	e->recorded_attempt = event->recorded.attempt;
}

static void on_piece(struct engine *e, const struct engine_event *event, struct engine_actions *out)
{
	(void)out;
	e->slots[event->verified.slot].n_verified++;
	e->bytes_reused += picker_verified(&e->picker, event->verified.piece);
}

static void on_whole_offered(struct engine *e, const struct engine_event *event,
			     struct engine_actions *out)
{
	engine_whole_offered(e, event->request.slot, out);
}

static void on_answered(struct engine *e, const struct engine_event *event,
			struct engine_actions *out)
{
	engine_answered(e, event->request.slot, out);
}

static void on_silent(struct engine *e, const struct engine_event *event,
		      struct engine_actions *out)
{
	engine_silent(e, event->request.slot, out);
}

/* Only time has passed, or the limits have changed: proceed() decides what follows. */
static void on_nothing_else(struct engine *e, const struct engine_event *event,
			    struct engine_actions *out)
{
	(void)e;
	(void)event;
	(void)out;
}

static void (*const handlers[EVENT_COUNT])(struct engine *e, const struct engine_event *event,
					   struct engine_actions *out) = {
	[EVENT_RUN] = on_run,
	[EVENT_TICK] = on_nothing_else,
	[EVENT_OPENED] = on_opened,
	[EVENT_CHECKED] = on_checked,
	[EVENT_ANSWER] = engine_take_answer,
	[EVENT_PREPARED] = on_prepared,
	[EVENT_WHOLE_OFFERED] = on_whole_offered,
	[EVENT_ANSWERED] = on_answered,
	[EVENT_SILENT] = on_silent,
	[EVENT_PIECE] = on_piece,
	[EVENT_REQUEST_ENDED] = engine_request_ended,
	[EVENT_FILLED] = engine_filled,
	[EVENT_FINISHED] = on_finished,
	[EVENT_DAMAGED] = on_damaged,
	[EVENT_RECORDED] = on_recorded,
	[EVENT_LOCAL_ERROR] = on_local_error,
	[EVENT_PAUSE] = on_pause,
	[EVENT_RESUME] = on_resume,
	[EVENT_CANCEL] = on_cancel,
	[EVENT_RESTART] = on_restart,
	[EVENT_CONFIGURED] = on_nothing_else,
	[EVENT_SOURCES_FORBIDDEN] = on_sources_forbidden,
	[EVENT_PIECES_CHANGED] = engine_pieces_changed,
	[EVENT_PEER_HEARD] = engine_peer_heard,
};

/* After each event: does what follows from the state as it is now. */
static void proceed(struct engine *e, struct engine_actions *out)
{
	if (e->discovery == DISCOVERY_WANTED && e->in_flight == 0)
		engine_begin_discovery(e, out);
	if (e->state == ENGINE_WAITING_PEER)
		engine_weigh_waiting(e, out);
	if (engine_may_retry(e) && e->last_ms >= e->retry_at_ms)
		engine_begin_discovery(e, out);
	if (e->state == ENGINE_DISCOVERING)
		engine_weigh_answers(e, out);
	if (e->state == ENGINE_DOWNLOADING)
		engine_keep_busy(e, out);
}

void engine_forget_image(struct engine *e)
{
	assert(e->in_flight == 0);
	picker_release(&e->picker);
	e->has_image = false;
	e->disk = DISK_UNKNOWN;
}

void engine_count_received(struct engine *e, unsigned slot, uint64_t bytes)
{
	e->bytes_fetched += bytes;
	e->sources[e->slots[slot].source].bytes += bytes;
}

void engine_count_recovered(struct engine *e, unsigned source, uint64_t bytes)
{
	e->bytes_fetched += bytes;
	if (source < e->n_sources)
		e->sources[source].bytes += bytes;
}

void engine_restore(struct engine *e, enum engine_state state, uint32_t attempt, uint64_t used_ms,
		    uint64_t bytes_fetched, const char *error)
{
	e->state = engine_state_is_running(state) ? ENGINE_QUEUED : state;
	e->attempt = attempt;
	e->recorded_attempt = attempt;
	e->used_ms = used_ms;
	e->bytes_fetched = bytes_fetched;
	set_error(e, error);
}

void engine_restore_source(struct engine *e, const struct source *source)
{
	if (e->n_sources < SOURCES_MAX)
		e->sources[e->n_sources++] = *source;
}

void engine_step(struct engine *e, const struct engine_event *event, uint64_t now_ms,
		 struct engine_actions *ret_actions)
{
	ret_actions->n = 0;
	engine_account_time(e, now_ms);
	if (e->discovery == DISCOVERY_BEGINS)
		e->discovery = DISCOVERY_RUNS; /* the last step's actions were performed */
	handlers[event->type](e, event, ret_actions);
	if (engine_is_timed_out(e))
		engine_stop(e, ENGINE_FAILED, "timeout", ret_actions);
	proceed(e, ret_actions);
}
