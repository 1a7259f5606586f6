/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks conductors that fetch the image for us, once a second, which pieces they have by now. */
#include <stdlib.h>

#include "base/macros.h"
#include "download/download_private.h"

#define ANSWER_MS 10000u /* its line to us may be full of what we fetch from it */

struct download_fetcher {
	struct download_fetcher *next;
	struct download *download;
	unsigned source;
	struct peer_pieces pieces;
};

static void on_told(struct peer_pieces *h, enum engine_pieces what, const char *reason)
{
	struct download_fetcher *fetcher = container_of(h, struct download_fetcher, pieces);

	download_deliver(fetcher->download, &(struct engine_event){.type = EVENT_PIECES_CHANGED,
								   .pieces.source = fetcher->source,
								   .pieces.what = what,
								   .pieces.bits = h->bits,
								   .reason = reason});
}

const uint8_t *download_fetchers_add(struct download *d, unsigned source, uint32_t n_pieces)
{
	struct download_fetcher *fetcher = calloc(1, sizeof(*fetcher));

	if (!fetcher)
		return NULL;
	fetcher->download = d;
	fetcher->source = source;
	fetcher->pieces = (struct peer_pieces){
		.client = d->home->client,
		.loop = d->home->loop,
		.peer = &d->sources.places[source],
		.keys = &d->keys,
		.version = d->version,
		.manifest = &d->manifest,
		.query = "",
		.timeout_ms = ANSWER_MS,
		.fetches = true,
		.told = on_told,
	};
	if (peer_pieces_init(&fetcher->pieces, n_pieces) < 0) {
		free(fetcher);
		return NULL;
	}
	/* The catalog has just read it, and the engine leaves the source if it is not ours. */
	fetcher->pieces.same_manifest = true;
	fetcher->next = d->fetchers;
	d->fetchers = fetcher;
	return fetcher->pieces.bits;
}

void download_fetchers_ask(struct download *d)
{
	for (struct download_fetcher *f = d->fetchers; f; f = f->next)
		if (d->engine.sources[f->source].state != SOURCE_EXCLUDED)
			peer_pieces_ask(&f->pieces);
}

void download_fetchers_stop(struct download *d)
{
	for (struct download_fetcher *f = d->fetchers; f; f = f->next)
		peer_pieces_stop(&f->pieces);
}

void download_fetchers_forget(struct download *d)
{
	while (d->fetchers) {
		struct download_fetcher *fetcher = d->fetchers;

		d->fetchers = fetcher->next;
		peer_pieces_release(&fetcher->pieces);
		free(fetcher);
	}
}
