/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request.json: the part of a download that must survive the daemon. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"
#include "download/download_private.h"

#define RECORD_SIZE_MAX (64u << 10)

static void add_sources(cJSON *record, const struct engine *e)
{
	cJSON *sources = cJSON_AddArrayToObject(record, "sources");

	for (unsigned i = 0; i < e->n_sources; i++) {
		const struct source *s = &e->sources[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "name", s->name);
		cJSON_AddStringToObject(item, "kind", source_kind_name(s->kind));
		cJSON_AddNumberToObject(item, "requests", (double)s->requests);
		cJSON_AddNumberToObject(item, "failures", (double)s->failures);
		cJSON_AddNumberToObject(item, "bytes", (double)s->bytes);
		cJSON_AddBoolToObject(item, "active", e->active == (int)i);
		cJSON_AddBoolToObject(item, "excluded", s->state == SOURCE_EXCLUDED);
		cJSON_AddStringToObject(item, "reason",
					s->state == SOURCE_EXCLUDED ? s->reason : "");
		cJSON_AddItemToArray(sources, item);
	}
}

/* At the daemon's end the engine is paused; what is remembered is what it did before. */
static enum engine_state state_to_remember(const struct download *d)
{
	if (d->closing && d->engine.state == ENGINE_PAUSED)
		return d->state_at_close;
	return download_state(d);
}

static uint64_t bytes_in_journal(const struct download *d)
{
	if (!d->engine.has_image)
		return d->recorded_verified;
	if (d->closed_disk) /* the last record is written after the last sync */
		return d->engine.picker.bytes_verified;
	return d->engine.picker.bytes_verified - d->unsynced_bytes - d->disk.batch_bytes;
}

/* Records of which image the peer said that it was imported there: once the image is whole, the
 * peer is not asked again. */
static void add_imported(cJSON *record, const struct download *d)
{
	char hex[2 * DIGEST_SIZE + 1];

	if (!d->engine.has_image || !download_is_imported(d))
		return;
	hex_encode(span_of(d->imported_at_peer, DIGEST_SIZE), hex);
	cJSON_AddStringToObject(record, "imported-at-peer", hex);
}

static void read_imported(struct download *d, const cJSON *record)
{
	const char *hex = cJSON_GetStringValue(cJSON_GetObjectItem(record, "imported-at-peer"));
	uint8_t digest[DIGEST_SIZE];
	size_t size;

	if (hex && hex_decode(hex, DIGEST_SIZE, DIGEST_SIZE, digest, &size) == 0)
		memcpy(d->imported_at_peer, digest, DIGEST_SIZE);
}

char *download_record_text(const struct download *d)
{
	const struct engine *e = &d->engine;
	cJSON *record = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(record, "version", d->version);
	cJSON_AddStringToObject(record, "state", engine_state_name(state_to_remember(d)));
	cJSON_AddBoolToObject(record, "renewing", d->renewing);
	cJSON_AddBoolToObject(record, "sequenced", e->turn != TURN_FREE);
	cJSON_AddBoolToObject(record, "turn-has-come", e->turn == TURN_COME);
	cJSON_AddStringToObject(record, "error", e->error);
	cJSON_AddNumberToObject(record, "started", (double)d->started_s);
	cJSON_AddNumberToObject(record, "attempt", e->attempt);
	cJSON_AddNumberToObject(record, "used-ms", (double)e->used_ms);
	cJSON_AddNumberToObject(record, "bytes-fetched", (double)e->bytes_fetched);
	cJSON_AddNumberToObject(record, "bytes-reused", (double)e->bytes_reused);
	cJSON_AddNumberToObject(record, "bytes-verified", (double)bytes_in_journal(d));
	cJSON_AddNumberToObject(record, "bytes-total", (double)d->manifest.size);
	add_imported(record, d);
	add_sources(record, e);
	text = cJSON_PrintUnformatted(record);
	cJSON_Delete(record);
	return text;
}

static void read_source(struct download *d, const cJSON *item)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(item, "name"));
	const char *kind_name = cJSON_GetStringValue(cJSON_GetObjectItem(item, "kind"));
	const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(item, "reason"));
	enum source_kind kind;
	struct source s;

	if (!name || !kind_name || source_kind_parse(kind_name, &kind) < 0)
		return;
	source_init(&s, name, kind);
	s.requests = json_counter(item, "requests");
	s.failures = json_counter(item, "failures");
	s.bytes = json_counter(item, "bytes");
	if (cJSON_IsTrue(cJSON_GetObjectItem(item, "excluded")))
		source_set_state(&s, SOURCE_EXCLUDED, reason ? reason : "");
	if (cJSON_IsTrue(cJSON_GetObjectItem(item, "active")))
		d->recorded_source = d->engine.n_sources;
	engine_restore_source(&d->engine, &s);
}

static enum engine_turn read_turn(const cJSON *record)
{
	if (!cJSON_IsTrue(cJSON_GetObjectItem(record, "sequenced")))
		return TURN_FREE;
	return cJSON_IsTrue(cJSON_GetObjectItem(record, "turn-has-come")) ? TURN_COME
									  : TURN_AWAITED;
}

static int read_record(struct download *d, const cJSON *record, struct err *err)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(record, "state"));
	const char *error = cJSON_GetStringValue(cJSON_GetObjectItem(record, "error"));
	const cJSON *item;
	enum engine_state state;

	if (!name || !engine_state_from_name(name, &state))
		return err_set(err, -EBADMSG, "no state in it that is known");
	d->renewing = cJSON_IsTrue(cJSON_GetObjectItem(record, "renewing"));
	d->started_s = (int64_t)json_counter(record, "started");
	d->manifest.size = json_counter(record, "bytes-total");
	engine_restore(&d->engine, state, (uint32_t)MAX(json_counter(record, "attempt"), 1),
		       json_counter(record, "used-ms"), json_counter(record, "bytes-fetched"),
		       error);
	d->engine.bytes_reused = json_counter(record, "bytes-reused");
	engine_set_turn(&d->engine, read_turn(record));
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(record, "sources"))
		read_source(d, item);
	d->recorded_verified = json_counter(record, "bytes-verified");
	read_imported(d, record);
	return 0;
}

void download_record_catch_up(struct download *d)
{
	uint64_t verified = bytes_in_journal(d);

	if (d->recorded_source != NOT_RECORDED && verified > d->recorded_verified)
		engine_count_recovered(&d->engine, d->recorded_source,
				       verified - d->recorded_verified);
	d->recorded_source = NOT_RECORDED;
}

int download_record_read(struct download *d, struct err *err)
{
	_cleanup_(json_freep) cJSON *record = NULL;
	char *path = NULL;
	char *text = NULL;
	size_t size;
	int rc;

	if (asprintf(&path, "%s/request.json", d->directory) < 0)
		return err_set(err, -ENOMEM, "request.json: out of memory");
	rc = file_read_regular(path, RECORD_SIZE_MAX, &text, &size, err);
	if (rc == 0)
		rc = json_parse(&record, span_of(text, size), RECORD_SIZE_MAX, err);
	if (rc == 0)
		rc = read_record(d, record, err);
	if (rc < 0 && rc != -ENOENT)
		(void)err_wrap(err, "%s", path);
	free(text);
	free(path);
	return rc;
}
