/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Carries out what the engine decides, and tells it the results. */
#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"

static void perform_action(struct download *d, const struct engine_action *action, bool *ret_again);

void download_deliver(struct download *d, const struct engine_event *event)
{
	struct engine_actions actions;
	struct engine_event tick = {.type = EVENT_TICK};
	bool again;

	do {
		engine_step(&d->engine, event, download_clock_ms(), &actions);
		again = false;
		for (unsigned i = 0; i < actions.n; i++)
			perform_action(d, &actions.items[i], &again);
		event = &tick;
	} while (again);
	download_history_follow(d);
	download_peer_follow(d);
	download_chunks_follow(d);
	download_fill_follow(d);
	download_arm_timers(d);
}

void download_tell(struct download *d, enum engine_event_type type)
{
	download_deliver(d, &(struct engine_event){.type = type});
}

void download_fail_locally(struct download *d, const struct err *err, bool fatal)
{
	log_event(LOG_DISK_PROBLEM,
		  &(struct log_fields){.version = d->version, .reason = err->text},
		  "download %s: %s", d->version, err->text);
	download_deliver(d, &(struct engine_event){.type = EVENT_LOCAL_ERROR,
						   .reason = err->text,
						   .local_error.fatal = fatal});
}

static void enter_state(struct download *d)
{
	if (d->closing)
		return;
	download_log_state(d);
	download_history_enter(d);
	d->rate = 0;
	d->bytes_at_tick = d->engine.bytes_fetched;
	if (d->n_unsynced > 0)
		download_want(d, DISK_TASK_SYNC);
	download_want(d, DISK_TASK_SAVE);
	download_peer_enter(d);
	d->home->changed(d);
}

static void log_source(const struct download *d, const struct engine_action *action,
		       const struct log_event *event)
{
	const struct source *s = &d->engine.sources[action->source];

	if (s->state == SOURCE_EXCLUDED && event == LOG_SOURCE_UNAVAILABLE)
		event = LOG_SOURCE_EXCLUDED;
	log_event(event,
		  &(struct log_fields){
			  .version = d->version, .source = s->name, .reason = action->reason},
		  "download %s: source %s: %s", d->version, s->name, action->reason);
}

static void mark_source(struct download *d, const struct engine_action *action,
			enum history_kind kind)
{
	download_history_mark(d, kind, d->engine.sources[action->source].name, action->reason);
}

static void perform_action(struct download *d, const struct engine_action *action, bool *ret_again)
{
	switch (action->type) {
	case ACTION_STATE:
		enter_state(d);
		return;
	case ACTION_OPEN:
		download_want(d, DISK_TASK_OPEN);
		return;
	case ACTION_CHECK:
		download_want(d, DISK_TASK_CHECK);
		return;
	case ACTION_DISCOVER:
		download_discover(d);
		*ret_again = true;
		return;
	case ACTION_STOP_DISCOVERY:
		catalog_release(&d->catalog);
		return;
	case ACTION_PREPARE:
		download_prepare(d, action->source);
		return;
	case ACTION_REQUEST:
		download_start_request(d, action);
		return;
	case ACTION_ACCEPT_WHOLE:
		transfer_accept_whole(&d->transfers[action->slot]);
		return;
	case ACTION_CANCEL_REQUEST:
		transfer_cancel(&d->transfers[action->slot]);
		return;
	case ACTION_SOURCE_LEFT:
		log_source(d, action, LOG_SOURCE_UNAVAILABLE);
		mark_source(d, action, HISTORY_SOURCE_LEFT);
		return;
	case ACTION_MISMATCH:
		log_source(d, action, LOG_PIECE_MISMATCH);
		mark_source(d, action, HISTORY_MISMATCH);
		return;
	case ACTION_PAST_CACHES:
		log_source(d, action, LOG_SOURCE_PAST_CACHES);
		return;
	case ACTION_FINISH:
		download_want(d, DISK_TASK_FINISH);
		return;
	case ACTION_PEER_NOT_AWAITED:
		download_peer_log(d, action->reason);
		return;
	}
}

/* Does what had to wait until no request is in flight. */
void download_settle(struct download *d)
{
	if (d->engine.in_flight > 0 || d->fill.busy)
		return;
	if (d->closing && !d->closed_disk)
		download_want(d, DISK_TASK_CLOSE);
	else if (d->discarding)
		download_want(d, DISK_TASK_DISCARD);
	else
		download_pump(d);
}
