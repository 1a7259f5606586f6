/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks the HA peer, once a second, how its download of the same version stands, and which pieces
 * it has. The engine decides what follows from the answers. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"

static int peer_source(const struct download *d)
{
	for (unsigned i = 0; i < d->sources.n; i++)
		if (d->sources.places[i].kind == SOURCE_HA_PEER)
			return (int)i;
	return SOURCE_NOBODY;
}

static void on_heard(struct peer_turn *s, enum engine_peer peer, const char *reason)
{
	struct download *d = container_of(s, struct download, sequence);

	download_deliver(d, &(struct engine_event){
				    .type = EVENT_PEER_HEARD, .peer.how = peer, .reason = reason});
}

static void on_told(struct peer_pieces *h, enum engine_pieces what, const char *reason)
{
	struct download *d = container_of(h, struct download, pieces);
	int peer = peer_source(d);
	const struct source *s = &d->engine.sources[peer];

	/* The peer's answer at discovery came late, and says that it has the complete image. */
	if (source_is_usable(s) && !s->pieces) {
		h->settled = true;
		return;
	}
	download_deliver(d, &(struct engine_event){.type = EVENT_PIECES_CHANGED,
						   .pieces.source = (unsigned)peer,
						   .pieces.what = what,
						   .pieces.bits = h->bits,
						   .reason = reason});
}

void download_peer_init(struct download *d)
{
	d->sequence.client = d->home->client;
	d->sequence.loop = d->home->loop;
	d->sequence.version = d->version;
	d->sequence.heard = on_heard;
	d->pieces.client = d->home->client;
	d->pieces.loop = d->home->loop;
	d->pieces.version = d->version;
	d->pieces.manifest = &d->manifest;
	d->pieces.keys = &d->keys;
	/* Else a conductor that fetches what its routers ask for would do so for its peer. */
	d->pieces.query = d->home->config->role == CONFIG_CONDUCTOR ? "?fetch=false" : "";
	d->pieces.timeout_ms = HA_ANSWER_MS;
	d->pieces.told = on_told;
}

void download_peer_ask(struct download *d)
{
	const char *url = d->home->config->high_availability.peer_url;

	if (d->engine.state == ENGINE_WAITING_PEER && url)
		peer_turn_ask(&d->sequence, url);
	if (d->engine.state == ENGINE_DOWNLOADING && d->pieces.bits)
		peer_pieces_ask(&d->pieces);
	if (d->engine.state == ENGINE_DOWNLOADING)
		download_fetchers_ask(d);
}

/* Begins to ask the peer for its pieces, unless it has the complete image: then it is a source
 * like any other. */
static void begin_sharing(struct download *d)
{
	int peer = peer_source(d);
	struct err err;

	if (peer == SOURCE_NOBODY || source_is_usable(&d->engine.sources[peer]) ||
	    d->engine.sources[peer].state == SOURCE_EXCLUDED)
		return;
	d->pieces.peer = &d->sources.places[peer];
	if (peer_pieces_init(&d->pieces, d->manifest.n_pieces) < 0) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		download_fail_locally(d, &err, false);
	}
}

void download_peer_follow(struct download *d)
{
	if (d->closing || d->engine.state != ENGINE_WAITING_PEER)
		peer_turn_stop(&d->sequence);
	if (d->closing || d->engine.state != ENGINE_DOWNLOADING) {
		peer_pieces_stop(&d->pieces);
		download_fetchers_stop(d);
	}
}

void download_peer_enter(struct download *d)
{
	if (d->engine.state == ENGINE_DOWNLOADING)
		begin_sharing(d);
	download_peer_ask(d);
}

void download_peer_forget(struct download *d)
{
	peer_pieces_release(&d->pieces);
	download_fetchers_forget(d);
}

void download_peer_log(const struct download *d, const char *reason)
{
	log_event(
		LOG_PEER_NOT_AWAITED,
		&(struct log_fields){.version = d->version, .source = "ha-peer", .reason = reason},
		"download %s: goes on without the HA peer: %s", d->version, reason);
}
