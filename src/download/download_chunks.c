/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fetches the chunk index that the manifest names, while the image comes: from the source that is
 * used, then from each other that can be used. It must be as it was signed. Nothing waits for it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_events.h"
#include "download/download_private.h"
#include "download/image/chunk_keep.h"
#include "http/http_fetch.h"

/* A document of a second or two may take longer where the link is slow. */
#define SLOWEST_BYTES_PER_MS 8u

void download_chunks_missing(const struct download *d, const struct err *why)
{
	log_event(LOG_CHUNK_INDEX_MISSING,
		  &(struct log_fields){.version = d->version, .reason = why->text},
		  "download %s: chunk index: %s", d->version, why->text);
}

void download_chunks_stop(struct download *d)
{
	if (d->chunks_fetch)
		http_fetch_cancel(d->chunks_fetch);
	d->chunks_fetch = NULL;
	d->chunks_asked = 0;
	if (d->chunks == CHUNKS_COMING)
		d->chunks = CHUNKS_WANTED;
}

void download_chunks_written(struct download *d, bool good)
{
	d->chunks = good ? CHUNKS_THERE : CHUNKS_NONE;
	download_fill_follow(d);
}

void download_chunks_adopt(struct download *d, bool is_there)
{
	download_chunks_stop(d);
	download_fill_forget(d);
	/* What came for the manifest before is not written any more. */
	free(d->disk.chunks);
	d->disk.chunks = NULL;
	if (!manifest_has_chunks(&d->manifest))
		d->chunks = CHUNKS_NONE;
	else
		d->chunks = is_there ? CHUNKS_THERE : CHUNKS_WANTED;
	download_fill_expect(d);
}

static bool can_be_asked(const struct download *d, unsigned source)
{
	return source_is_usable(&d->engine.sources[source]) && !(d->chunks_asked >> source & 1);
}

/* The next source to ask: first the one that is used. SOURCE_NOBODY = none is left. */
static int next_source(const struct download *d)
{
	if (d->engine.active != SOURCE_NOBODY && can_be_asked(d, (unsigned)d->engine.active))
		return d->engine.active;
	for (unsigned i = 0; i < d->engine.n_sources; i++)
		if (can_be_asked(d, i))
			return (int)i;
	return SOURCE_NOBODY;
}

static void take_index(struct download *d, struct span index)
{
	d->disk.chunks = malloc(index.size);
	if (!d->disk.chunks)
		return;
	memcpy(d->disk.chunks, index.bytes, index.size);
	download_want(d, DISK_TASK_CHUNKS);
}

static void ask(struct download *d, unsigned source);

static void on_fetched(struct http_fetch *fetch, const struct http_fetch_result *result,
		       void *owner)
{
	struct download *d = owner;
	struct err err = result->err;
	int next;

	(void)fetch;
	d->chunks_fetch = NULL;
	d->chunks = CHUNKS_NONE;
	if (err.code == 0 && chunk_keep_check(&d->manifest.chunks, result->body, &err) == 0) {
		take_index(d, result->body);
		return;
	}
	d->chunks_asked |= UINT64_C(1) << d->chunks_source;
	next = next_source(d);
	if (next != SOURCE_NOBODY) {
		ask(d, (unsigned)next);
		return;
	}
	(void)err_wrap(&err, "source %s", d->sources.places[d->chunks_source].name);
	download_chunks_missing(d, &err);
}

static void ask(struct download *d, unsigned source)
{
	const struct config_download *limits = &d->home->config->software_update.download;
	const struct source_place *place = &d->sources.places[source];
	char *url = source_url(place, d->version, d->manifest.chunks.file);
	const struct http_ask question = {
		.url = url,
		.access = &place->access,
		.max_bytes = d->manifest.chunks.size,
		.timeout_ms =
			1000u * (uint64_t)(limits->connect_timeout_s + limits->stall_timeout_s) +
			d->manifest.chunks.size / SLOWEST_BYTES_PER_MS,
		/* A cache may have that of an older edition. */
		.caching = d->chunks_asked ? HTTP_PAST_CACHES : HTTP_YOUNG,
		/* A server for one connection at a time would wait on it for more, and leave the
		 * image's requests on others unanswered. */
		.closes = true,
	};

	d->chunks_source = source;
	if (url && http_fetch_start(&d->chunks_fetch, d->home->client, d->home->loop, &question,
				    on_fetched, d) == 0)
		d->chunks = CHUNKS_COMING;
	free(url);
}

void download_chunks_follow(struct download *d)
{
	bool wanted = d->engine.state == ENGINE_DOWNLOADING && !d->closing && !d->discarding;
	int source;

	if (!wanted) {
		download_chunks_stop(d);
		return;
	}
	if (d->chunks != CHUNKS_WANTED)
		return;
	source = next_source(d);
	if (source == SOURCE_NOBODY)
		return;
	d->chunks = CHUNKS_NONE; /* unless it can be asked */
	ask(d, (unsigned)source);
}
