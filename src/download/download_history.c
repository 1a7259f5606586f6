/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a download went: counted and marked while it runs, and kept as history.json beside its
 * record. Written every half minute, and when it pauses, waits or ends: a kill loses at most that
 * much of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/atomic_file.h"
#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"
#include "download/history_json.h"

#define WRITE_MS 30000u

static void note_change(struct download *d)
{
	d->history.changed = true;
	if (download_clock_ms() - d->history.written_ms >= WRITE_MS)
		d->history.due = true;
}

/* The counters of all sources, as they are now, were counted. */
static void begin_counting(struct download *d)
{
	const struct engine *e = &d->engine;

	for (unsigned i = 0; i < e->n_sources; i++) {
		d->history.bytes[i] = e->sources[i].bytes;
		d->history.failures[i] = e->sources[i].failures;
	}
}

static void count(struct download *d)
{
	struct history *h = &d->history.history;
	const struct engine *e = &d->engine;

	history_begin_point(h, time(NULL));
	for (unsigned i = 0; i < e->n_sources; i++) {
		const struct source *s = &e->sources[i];

		history_count(h, s->name, s->bytes - MIN(d->history.bytes[i], s->bytes),
			      s->failures - MIN(d->history.failures[i], s->failures));
	}
	begin_counting(d);
	note_change(d);
}

void download_history_tick(struct download *d)
{
	if (d->history.runs)
		count(d);
}

void download_history_mark(struct download *d, enum history_kind kind, const char *source,
			   const char *reason)
{
	history_mark(&d->history.history, time(NULL), kind, source, reason);
	note_change(d);
}

/* The states that are marked are those in which nothing is fetched for long. */
static bool mark_of_state(enum engine_state state, enum history_kind *ret)
{
	return history_kind_from_name(engine_state_name(state), ret);
}

void download_history_enter(struct download *d)
{
	enum history_kind kind;

	if (d->history.runs)
		count(d);
	d->history.runs = d->engine.state == ENGINE_DOWNLOADING;
	if (d->history.runs)
		begin_counting(d);
	if (!mark_of_state(d->engine.state, &kind))
		return;
	download_history_mark(d, kind, NULL, d->engine.error);
	d->history.source[0] = '\0';
	d->history.due = true;
}

void download_history_follow(struct download *d)
{
	const struct engine *e = &d->engine;
	const char *active = e->active == SOURCE_NOBODY ? "" : e->sources[e->active].name;
	char reason[SOURCE_NAME_SIZE + 16];

	if (!d->history.runs || !active[0] || strcmp(active, d->history.source) == 0)
		return;
	(void)snprintf(reason, sizeof(reason), "instead of %s", d->history.source);
	if (d->history.source[0])
		download_history_mark(d, HISTORY_FAILOVER, active, reason);
	(void)snprintf(d->history.source, sizeof(d->history.source), "%s", active);
}

void download_history_forget(struct download *d)
{
	history_release(&d->history.history);
	history_init(&d->history.history);
	d->history.source[0] = '\0';
	d->history.changed = true;
	d->history.due = true;
}

void download_history_release(struct download *d)
{
	history_release(&d->history.history);
}

static char *path_of(const struct download *d)
{
	char *path = NULL;

	return asprintf(&path, "%s/history.json", d->directory) < 0 ? NULL : path;
}

static int read_file(struct download *d, const char *path, struct err *err)
{
	char *text = NULL;
	size_t size;
	int rc = file_read_regular(path, HISTORY_SIZE_MAX, &text, &size, err);

	if (rc == 0)
		rc = history_parse(&d->history.history, span_of(text, size), err);
	free(text);
	return rc;
}

void download_history_read(struct download *d)
{
	char *path = path_of(d);
	struct err err = {0};

	if (path && read_file(d, path, &err) < 0 && err.code != -ENOENT) {
		log_event(LOG_DISK_PROBLEM,
			  &(struct log_fields){.version = d->version, .reason = err.text},
			  "download %s: its history begins anew: %s: %s", d->version, path,
			  err.text);
	}
	free(path);
}

char *download_history_text(struct download *d, bool last)
{
	cJSON *json;
	char *text;

	if (!d->history.changed || !(d->history.due || last))
		return NULL;
	json = history_to_json(&d->history.history);
	text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	d->history.changed = text == NULL;
	d->history.due = false;
	d->history.written_ms = download_clock_ms();
	return text;
}

void download_history_written(struct download *d, bool failed)
{
	if (failed)
		d->history.changed = true;
}

cJSON *download_history_to_json(const struct download *d)
{
	cJSON *json = history_to_json(&d->history.history);

	cJSON_AddStringToObject(json, "version", d->version);
	cJSON_AddStringToObject(json, "state", engine_state_name(download_state(d)));
	return json;
}
