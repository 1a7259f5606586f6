/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starts a transfer for each request of the engine, and tells the engine what comes of it. */
#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "download/download_private.h"

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

void download_start_request(struct download *d, const struct engine_action *action)
{
	const struct source_place *place = &d->sources.places[action->source];
	char *url = source_url(place, d->version, d->manifest.file);
	struct transfer_request asked = {
		.url = url ? url : "", /* without memory for it the request fails */
		.access = &place->access,
		.range = action->range,
		.held_behind = action->held_behind,
		.whole = action->whole,
		.caching = action->past_caches ? HTTP_PAST_CACHES : HTTP_ANY_AGE,
		.unlimited = place->kind == SOURCE_HA_PEER,
		.stall_timeout_s = d->home->config->software_update.download.stall_timeout_s,
	};

	transfer_start(&d->transfers[action->slot], &d->target, &asked);
	free(url);
}
