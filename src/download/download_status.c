/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A download as the control socket and the journal show it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"

/* An engine time as Unix seconds. */
static double unix_time(uint64_t at_ms)
{
	int64_t ahead_ms = (int64_t)(at_ms - download_clock_ms());

	return (double)(time(NULL) + (ahead_ms + 500) / 1000);
}

static void add_number_or_null(cJSON *json, const char *name, bool known, double value)
{
	if (known)
		cJSON_AddNumberToObject(json, name, value);
	else
		cJSON_AddNullToObject(json, name);
}

static void add_string_or_null(cJSON *json, const char *name, const char *value)
{
	if (value && value[0])
		cJSON_AddStringToObject(json, name, value);
	else
		cJSON_AddNullToObject(json, name);
}

static const char *source_state_name(const struct engine *e, unsigned source)
{
	const struct source *s = &e->sources[source];

	if ((int)source == e->active || (int)source == e->partner)
		return "active";
	switch (s->state) {
	case SOURCE_AVAILABLE:
		return s->no_range ? "no-range" : "available";
	case SOURCE_EXCLUDED:
		return "excluded";
	case SOURCE_NO_VERSION:
		return "no-version";
	case SOURCE_ASKED:
	case SOURCE_UNAVAILABLE:
	case SOURCE_BROKEN:
		break;
	}
	return "unavailable";
}

static void add_sources(cJSON *json, const struct engine *e)
{
	cJSON *sources = cJSON_AddArrayToObject(json, "sources");

	for (unsigned i = 0; i < e->n_sources; i++) {
		const struct source *s = &e->sources[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "name", s->name);
		cJSON_AddStringToObject(item, "kind", source_kind_name(s->kind));
		cJSON_AddStringToObject(item, "state", source_state_name(e, i));
		add_string_or_null(item, "reason",
				   s->state == SOURCE_ASKED && !s->reason[0]
					   ? "has not answered yet"
					   : s->reason);
		cJSON_AddNumberToObject(item, "requests", (double)s->requests);
		cJSON_AddNumberToObject(item, "failures", (double)s->failures);
		cJSON_AddNumberToObject(item, "bytes", (double)s->bytes);
		cJSON_AddItemToArray(sources, item);
	}
}

bool download_is_imported(const struct download *d)
{
	return memcmp(d->imported_at_peer, d->manifest.digest, DIGEST_SIZE) == 0;
}

uint64_t download_bytes_verified(const struct download *d)
{
	if (d->renewing || d->discarding)
		return 0;
	if (d->engine.state == ENGINE_COMPLETE)
		return d->manifest.size;
	if (!d->engine.has_image) /* its journal has not been read since the daemon started */
		return d->recorded_verified;
	return d->engine.picker.bytes_verified;
}

static void add_times(cJSON *json, const struct download *d)
{
	const struct engine *e = &d->engine;
	uint64_t missing = d->manifest.size - download_bytes_verified(d);
	bool runs = engine_state_is_running(e->state);
	uint64_t deadline = engine_deadline(e, e->last_ms);

	cJSON_AddNumberToObject(json, "rate", (double)d->rate);
	add_number_or_null(json, "eta", d->rate > 0 && e->state == ENGINE_DOWNLOADING,
			   (double)(missing / MAX(d->rate, 1)));
	cJSON_AddNumberToObject(json, "attempt", e->attempt);
	cJSON_AddNumberToObject(json, "attempts", e->limits.attempts);
	cJSON_AddNumberToObject(json, "started", (double)d->started_s);
	add_number_or_null(json, "deadline", runs && deadline != ENGINE_NEVER,
			   runs && deadline != ENGINE_NEVER ? unix_time(deadline) : 0);
	add_number_or_null(json, "retry-at", e->state == ENGINE_WAITING_RETRY,
			   e->state == ENGINE_WAITING_RETRY ? unix_time(e->retry_at_ms) : 0);
}

cJSON *download_to_json(const struct download *d)
{
	const struct engine *e = &d->engine;
	int active = e->active != SOURCE_NOBODY ? e->active : e->partner;
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "version", d->version);
	cJSON_AddStringToObject(json, "state", engine_state_name(download_state(d)));
	add_string_or_null(json, "error", e->error);
	cJSON_AddBoolToObject(json, "sequenced", e->turn != TURN_FREE);
	cJSON_AddNumberToObject(json, "bytes-total", (double)d->manifest.size);
	cJSON_AddNumberToObject(json, "bytes-verified", (double)download_bytes_verified(d));
	cJSON_AddNumberToObject(json, "bytes-fetched", (double)e->bytes_fetched);
	cJSON_AddNumberToObject(json, "bytes-reused", (double)e->bytes_reused);
	add_times(json, d);
	add_string_or_null(json, "active-source",
			   active == SOURCE_NOBODY ? NULL : e->sources[active].name);
	add_sources(json, e);
	return json;
}

void download_log_state(const struct download *d)
{
	static const struct log_event *const events[] = {
		[ENGINE_QUEUED] = LOG_DOWNLOAD_QUEUED,
		[ENGINE_WAITING_PEER] = LOG_DOWNLOAD_WAITING_PEER,
		[ENGINE_CHECKING] = LOG_DOWNLOAD_CHECKING,
		[ENGINE_DISCOVERING] = LOG_DOWNLOAD_DISCOVERING,
		[ENGINE_DOWNLOADING] = LOG_DOWNLOAD_DOWNLOADING,
		[ENGINE_WAITING_RETRY] = LOG_DOWNLOAD_WAITING_RETRY,
		[ENGINE_FINISHING] = LOG_DOWNLOAD_FINISHING,
		[ENGINE_COMPLETE] = LOG_DOWNLOAD_COMPLETE,
		[ENGINE_PAUSED] = LOG_DOWNLOAD_PAUSED,
		[ENGINE_CANCELLED] = LOG_DOWNLOAD_CANCELLED,
		[ENGINE_FAILED] = LOG_DOWNLOAD_FAILED,
	};
	const struct engine *e = &d->engine;
	const char *state = engine_state_name(e->state);

	log_event(events[e->state],
		  &(struct log_fields){
			  .version = d->version,
			  .source = e->active == SOURCE_NOBODY ? NULL : e->sources[e->active].name,
			  .state = state,
			  .reason = e->error[0] ? e->error : NULL,
		  },
		  "download %s: %s%s%s", d->version, state, e->error[0] ? ": " : "", e->error);
}
