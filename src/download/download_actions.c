/* Carries out what the engine decides, and tells it the results. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"

#define WAKE_MS_MAX  60000u /* libuv's timers stand still during suspend */
#define TICK_MS      1000u
#define SAVE_MS      2000u
#define SAVE_IDLE_MS 60000u /* where nothing but time goes by */

static void perform(struct download *d, const struct engine_action *action, bool *ret_again);

static void on_wake(uv_timer_t *timer)
{
	struct download *d = container_of(timer, struct download, wake);

	if (download_clock_ms() - d->saved_ms >= SAVE_IDLE_MS)
		download_want(d, DISK_TASK_SAVE);
	download_tell(d, EVENT_TICK);
}

static void measure_rate(struct download *d)
{
	uint64_t bytes = d->engine.bytes_fetched - d->bytes_at_tick;

	d->bytes_at_tick = d->engine.bytes_fetched;
	d->rate = d->rate == 0 ? bytes : (3 * d->rate + bytes) / 4;
}

static void watch_transfers(struct download *d)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (d->engine.slots[i].used)
			transfer_tick(&d->transfers[i]);
}

static void keep_on_disk(struct download *d, uint64_t now)
{
	if (d->n_unsynced > 0 && now - d->unsynced_since_ms >= UNSYNCED_MS_MAX)
		download_want(d, DISK_TASK_SYNC);
	if (now - d->saved_ms >= SAVE_MS)
		download_want(d, DISK_TASK_SAVE);
}

static void on_tick(uv_timer_t *timer)
{
	struct download *d = container_of(timer, struct download, tick);
	uint64_t now = download_clock_ms();

	download_peer_ask(d);
	if (d->engine.state == ENGINE_WAITING_PEER)
		return;
	measure_rate(d);
	watch_transfers(d);
	keep_on_disk(d, now);
	d->home->progressed(d);
}

void download_arm_timers(struct download *d)
{
	uint64_t wake = engine_next_wake(&d->engine);
	uint64_t now = download_clock_ms();

	if (d->closing || wake == ENGINE_NEVER)
		(void)uv_timer_stop(&d->wake);
	else
		(void)uv_timer_start(&d->wake, on_wake,
				     wake > now ? MIN(wake - now, WAKE_MS_MAX) : 0, 0);
	if (d->closing ||
	    (d->engine.state != ENGINE_DOWNLOADING && d->engine.state != ENGINE_WAITING_PEER))
		(void)uv_timer_stop(&d->tick);
	else if (!uv_is_active((uv_handle_t *)&d->tick))
		(void)uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
}

void download_deliver(struct download *d, const struct engine_event *event)
{
	struct engine_actions actions;
	struct engine_event tick = {.type = EVENT_TICK};
	bool again;

	do {
		engine_step(&d->engine, event, download_clock_ms(), &actions);
		again = false;
		for (unsigned i = 0; i < actions.n; i++)
			perform(d, &actions.items[i], &again);
		event = &tick;
	} while (again);
	download_peer_follow(d);
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

static void on_answer(struct catalog *catalog, unsigned source, const struct catalog_answer *answer)
{
	struct download *d = container_of(catalog, struct download, catalog);
	const struct catalog_inquiry *inquiry = &catalog->inquiries[source];

	/* A pair imports once: what one of the two got from the other is imported, too. */
	if (d->sources.places[source].kind == SOURCE_HA_PEER &&
	    answer->answer == ANSWER_HAS_VERSION && inquiry->imported)
		memcpy(d->imported_at_peer, inquiry->manifest.digest, DIGEST_SIZE);
	download_deliver(d, &(struct engine_event){
				    .type = EVENT_ANSWER,
				    .answer.source = source,
				    .answer.what = answer->answer,
				    .answer.digest = inquiry->manifest.digest,
				    .answer.retry_after_ms = answer->retry_after_ms,
				    .reason = answer->err.text,
			    });
}

/* The configuration of now: its sources and its keys. */
static int renew_sources(struct download *d, struct err *err)
{
	struct engine_source_spec specs[SOURCES_MAX];
	struct source_list list;
	struct trusted_keys keys;
	struct err warning = {0};
	int rc = source_list_make(&list, d->home->config, err);

	if (rc < 0)
		return rc;
	rc = trusted_keys_load(&keys, d->home->config, &warning, err);
	if (rc < 0) {
		source_list_release(&list);
		return rc;
	}
	if (warning.code < 0)
		log_event(LOG_CONFIGURATION_WARNING, &(struct log_fields){.reason = warning.text},
			  "%s", warning.text);
	source_list_release(&d->sources);
	trusted_keys_release(&d->keys);
	d->sources = list;
	d->keys = keys;
	source_list_specs(&d->sources, specs);
	engine_set_sources(&d->engine, specs, d->sources.n);
	return 0;
}

static void discover(struct download *d)
{
	const struct config_download *limits = &d->home->config->software_update.download;
	struct err err = {0};
	int rc;

	catalog_release(&d->catalog);
	download_peer_forget(d);
	memset(d->imported_at_peer, 0, sizeof(d->imported_at_peer));
	rc = renew_sources(d, &err);
	if (rc == 0) {
		d->catalog.client = d->home->client;
		d->catalog.loop = d->home->loop;
		d->catalog.list = &d->sources;
		d->catalog.keys = &d->keys;
		d->catalog.version = d->version;
		d->catalog.timeout_ms =
			1000u * (uint64_t)(limits->connect_timeout_s + limits->stall_timeout_s);
		d->catalog.answered = on_answer;
		rc = catalog_ask(&d->catalog);
		if (rc < 0)
			(void)err_set(&err, rc, "out of memory");
	}
	if (rc < 0)
		download_fail_locally(d, &err, false);
}

static void prepare(struct download *d, unsigned source)
{
	struct catalog_inquiry *inquiry = &d->catalog.inquiries[source];

	manifest_release(&d->disk.manifest);
	free(d->disk.manifest_jws);
	d->disk.manifest = inquiry->manifest;
	d->disk.manifest_jws = inquiry->manifest_jws;
	d->disk.manifest_jws_size = inquiry->manifest_jws_size;
	memset(&inquiry->manifest, 0, sizeof(inquiry->manifest));
	inquiry->manifest_jws = NULL;
	download_want(d, DISK_TASK_PREPARE);
}

static unsigned slot_of(const struct download *d, const struct transfer *t)
{
	return (unsigned)(t - d->transfers);
}

static struct download *download_of(const struct transfer *t)
{
	return container_of(t->target, struct download, target);
}

static void tell_slot(struct transfer *t, enum engine_event_type type)
{
	struct download *d = download_of(t);

	download_deliver(d, &(struct engine_event){.type = type, .request.slot = slot_of(d, t)});
}

static void on_answered(struct transfer *t)
{
	tell_slot(t, EVENT_ANSWERED);
}

static void on_silent(struct transfer *t)
{
	tell_slot(t, EVENT_SILENT);
}

static uint32_t patience_s(struct transfer *t)
{
	struct download *d = download_of(t);

	return (uint32_t)(engine_patience_ms(&d->engine, slot_of(d, t)) / 1000);
}

static void on_received(struct transfer *t, uint64_t bytes)
{
	struct download *d = download_of(t);

	engine_count_received(&d->engine, slot_of(d, t), bytes);
}

static void on_verified(struct transfer *t, uint32_t piece)
{
	struct download *d = download_of(t);
	struct err err;

	download_deliver(d, &(struct engine_event){.type = EVENT_PIECE,
						   .verified.slot = slot_of(d, t),
						   .verified.piece = piece});
	if (download_note_verified(d, piece) < 0) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		download_fail_locally(d, &err, false);
	}
}

static void on_whole_offered(struct transfer *t)
{
	tell_slot(t, EVENT_WHOLE_OFFERED);
}

static void on_ended(struct transfer *t, const struct transfer_end *end)
{
	struct download *d = download_of(t);
	struct err err;

	download_deliver(d, &(struct engine_event){
				    .type = EVENT_REQUEST_ENDED,
				    .reason = end->reason,
				    .ended.slot = slot_of(d, t),
				    .ended.outcome = end->outcome,
				    .ended.bytes = end->bytes,
				    .ended.held_end = end->held_end,
				    .ended.piece = end->piece,
				    .ended.duration_ms = end->duration_ms,
				    .ended.retry_after_ms = end->retry_after_ms,
				    .ended.other_file = end->other_file,
			    });
	if (end->local) {
		(void)err_set(&err, end->local_code, "%s", end->reason);
		download_fail_locally(d, &err, false);
	}
	download_settle(d);
}

static const struct transfer_callbacks transfer_callbacks = {
	.answered = on_answered,
	.silent = on_silent,
	.patience_s = patience_s,
	.received = on_received,
	.verified = on_verified,
	.whole_offered = on_whole_offered,
	.ended = on_ended,
};

void download_make_target(struct download *d)
{
	d->target = (struct transfer_target){
		.loop = d->home->loop,
		.client = d->home->client,
		.buffers = d->home->buffers,
		.manifest = &d->manifest,
		.file = &d->file,
		.picker = &d->engine.picker,
		.callbacks = &transfer_callbacks,
	};
}

static void request(struct download *d, const struct engine_action *action)
{
	const struct source_place *place = &d->sources.places[action->source];
	char *url = source_url(place, d->version, d->manifest.file);
	struct transfer_request asked = {
		.url = url ? url : "", /* out of memory: fails as any request can */
		.access = &place->access,
		.range = action->range,
		.whole = action->whole,
		.caching = action->past_caches ? HTTP_PAST_CACHES : HTTP_ANY_AGE,
		.unlimited = place->kind == SOURCE_HA_PEER,
		.stall_timeout_s = d->home->config->software_update.download.stall_timeout_s,
	};

	transfer_start(&d->transfers[action->slot], &d->target, &asked);
	free(url);
}

static void enter_state(struct download *d)
{
	if (d->closing)
		return;
	download_log_state(d);
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

static void perform(struct download *d, const struct engine_action *action, bool *ret_again)
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
		discover(d);
		*ret_again = true;
		return;
	case ACTION_STOP_DISCOVERY:
		catalog_release(&d->catalog);
		return;
	case ACTION_PREPARE:
		prepare(d, action->source);
		return;
	case ACTION_REQUEST:
		request(d, action);
		return;
	case ACTION_ACCEPT_WHOLE:
		transfer_accept_whole(&d->transfers[action->slot]);
		return;
	case ACTION_CANCEL_REQUEST:
		transfer_cancel(&d->transfers[action->slot]);
		return;
	case ACTION_SOURCE_LEFT:
		log_source(d, action, LOG_SOURCE_UNAVAILABLE);
		return;
	case ACTION_MISMATCH:
		log_source(d, action, LOG_PIECE_MISMATCH);
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

/* Nothing is in flight any more: what had to wait for that. */
void download_settle(struct download *d)
{
	if (d->engine.in_flight > 0)
		return;
	if (d->closing && !d->closed_disk)
		download_want(d, DISK_TASK_CLOSE);
	else if (d->discarding)
		download_want(d, DISK_TASK_DISCARD);
	else
		download_pump(d);
}
