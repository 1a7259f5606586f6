/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/peer_pieces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "download/fetch_reason.h"
#include "download/image/index.h"
#include "download/image/piece_map.h"
#include "download/peer_turn.h"

#define REASON_ROOM (64u << 10) /* for what a conductor says in place of its pieces */
#define MISSED_MAX  2           /* each is a second, or timeout_ms where nothing comes */

bool peer_pieces_are_valid(struct span bitmap, uint32_t n_pieces)
{
	unsigned spare = (8 - n_pieces % 8) % 8;

	return bitmap.size == piece_bits_size(n_pieces) &&
	       (bitmap.bytes[bitmap.size - 1] & ((1u << spare) - 1)) == 0;
}

/* The URL of a file of the version; freed by the caller; NULL = out of memory. */
static char *url_of(const struct peer_pieces *h, const char *file)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%s%s", file, h->query);
	return source_url(h->peer, h->version, name);
}

static void fetch(struct peer_pieces *h, char *url, size_t max, http_fetch_done_cb done)
{
	const struct http_ask ask = {
		.url = url,
		.access = &h->peer->access,
		.max_bytes = max,
		.timeout_ms = h->timeout_ms,
		.any_status = h->fetches,
	};

	/* Without memory it is asked again in a second. */
	if (url)
		(void)http_fetch_start(&h->fetch, h->client, h->loop, &ask, done, h);
	free(url);
}

/* Of what is not the document: why it did not come. */
static struct err error_of(const struct http_fetch_result *result)
{
	struct err err = result->err;

	if (err.code == 0 && result->status != 200)
		fetch_reason_tell(result, &err);
	return err;
}

/* Does the conductor say that it is at work, and has nothing to tell yet? */
static bool is_at_work(const struct peer_pieces *h, const struct http_fetch_result *result)
{
	return h->fetches && (result->status == 503 || result->status == 429);
}

/* Tells that the peer has no pieces of our image. Its manifest must be asked for again before it
 * is believed to have any. */
static void tell_none(struct peer_pieces *h, const struct err *why)
{
	h->same_manifest = false;
	h->told(h, PIECES_NONE, why->text);
}

/* A single answer that did not come says nothing about the peer's pieces; only after MISSED_MAX
 * in a row it counts as having none. */
static void miss(struct peer_pieces *h, const struct err *why)
{
	if (++h->n_missed >= MISSED_MAX)
		tell_none(h, why);
}

static void tell_all(struct peer_pieces *h)
{
	for (uint32_t piece = 0; piece < h->manifest->n_pieces; piece++)
		piece_bits_set(h->bits, piece);
	h->settled = true;
	h->told(h, PIECES_KNOWN, NULL);
}

static void on_index(struct http_fetch *http_fetch, const struct http_fetch_result *result,
		     void *owner)
{
	struct peer_pieces *h = owner;
	struct index index = {0};
	struct err err = error_of(result);
	const struct index_entry *entry;
	bool has_it = false;

	(void)http_fetch;
	h->fetch = NULL;
	if (err.code < 0) {
		miss(h, &err);
		return;
	}
	if (index_parse(&index, result->body, &err) == 0) {
		entry = index_find(&index, h->version);
		has_it = entry && !entry->available;
		if (!has_it)
			(void)err_set(&err, -ENOENT, "has nothing of %s", h->version);
	}
	index_release(&index);
	if (has_it)
		tell_all(h);
	else
		tell_none(h, &err);
}

static void take_pieces(struct peer_pieces *h, struct span bitmap)
{
	struct err err;

	if (!peer_pieces_are_valid(bitmap, h->manifest->n_pieces)) {
		(void)err_set(
			&err, -EBADMSG,
			"pieces: no bitmap of %u pieces, of %zu bytes where %zu were expected",
			h->manifest->n_pieces, bitmap.size, piece_bits_size(h->manifest->n_pieces));
		tell_none(h, &err);
		return;
	}
	memcpy(h->bits, bitmap.bytes, bitmap.size);
	h->n_missed = 0;
	h->told(h, PIECES_KNOWN, NULL);
}

static void on_pieces(struct http_fetch *http_fetch, const struct http_fetch_result *result,
		      void *owner)
{
	struct peer_pieces *h = owner;
	struct err err = error_of(result);
	char *url = NULL;

	(void)http_fetch;
	h->fetch = NULL;
	if (is_at_work(h, result)) {
		h->n_missed = 0;
	} else if (result->status == 404) {
		if (asprintf(&url, "%sindex.json", h->peer->url) < 0)
			url = NULL;
		fetch(h, url, INDEX_SIZE_MAX, on_index);
	} else if (h->fetches && result->status != 0 && err.code < 0) {
		tell_none(h, &err);
	} else if (err.code < 0) {
		miss(h, &err);
	} else {
		take_pieces(h, result->body);
	}
}

static void ask_for_pieces(struct peer_pieces *h)
{
	const size_t size = piece_bits_size(h->manifest->n_pieces);

	fetch(h, url_of(h, "pieces"), h->fetches ? MAX(size, REASON_ROOM) : size, on_pieces);
}

static void on_manifest(struct http_fetch *http_fetch, const struct http_fetch_result *result,
			void *owner)
{
	struct peer_pieces *h = owner;
	struct manifest theirs = {0};
	struct err err = error_of(result);

	(void)http_fetch;
	h->fetch = NULL;
	if (is_at_work(h, result))
		return;
	if (err.code < 0) {
		if (result->status == 404)
			(void)err_set(&err, -ENOENT, "has nothing of %s", h->version);
		tell_none(h, &err);
		return;
	}
	if (manifest_parse(&theirs, h->keys->keys, h->keys->n, result->body, h->version, &err) <
	    0) {
		(void)err_wrap(&err, "manifest");
		h->settled = true; /* a source that is left is not asked again in this attempt */
		tell_none(h, &err);
		return;
	}
	h->same_manifest = memcmp(theirs.digest, h->manifest->digest, DIGEST_SIZE) == 0;
	h->settled = !h->same_manifest;
	manifest_release(&theirs);
	if (h->same_manifest)
		ask_for_pieces(h);
	else
		h->told(h, PIECES_OF_ANOTHER, "different manifest");
}

int peer_pieces_init(struct peer_pieces *h, uint32_t n_pieces)
{
	peer_pieces_release(h);
	h->same_manifest = false;
	h->settled = false;
	h->n_missed = 0;
	h->bits = calloc(piece_bits_size(n_pieces), 1);
	return h->bits ? 0 : -ENOMEM;
}

void peer_pieces_ask(struct peer_pieces *h)
{
	if (h->fetch || h->settled)
		return;
	if (h->same_manifest)
		ask_for_pieces(h);
	else
		fetch(h, url_of(h, "manifest.jws"), MANIFEST_SIZE_MAX, on_manifest);
}

void peer_pieces_stop(struct peer_pieces *h)
{
	if (h->fetch)
		http_fetch_cancel(h->fetch);
	h->fetch = NULL;
}

void peer_pieces_release(struct peer_pieces *h)
{
	peer_pieces_stop(h);
	free(h->bits);
	h->bits = NULL;
}
