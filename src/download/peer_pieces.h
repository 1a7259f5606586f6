/* SPDX-License-Identifier: GPL-3.0-or-later */
/* peer_pieces.h - asks the HA peer which pieces of an image it has, while both nodes download it.
 *
 * The peer may have nothing yet and begin later. So first its manifest is asked for, again and
 * again, and compared with ours; then its pieces. If it has none to tell, its index is read: a
 * complete image is in the index, and then the peer has all pieces and is not asked any more. The
 * peer's answers are used only to choose where to fetch from: every piece that it sends is
 * hashed.
 *
 * A conductor that fetches the image for us is asked in the same way (`fetches`). It says in its
 * answers that it is at work, and is then asked again; or why it is not, which is told as the
 * reason.
 *
 * Calling sequence: peer_pieces_init -> peer_pieces_ask, once a second -> told ... ->
 * peer_pieces_stop at any time, also from told: nothing is told after it. bits stays until
 * peer_pieces_release.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "download/engine/engine.h"
#include "download/image/manifest.h"
#include "download/image/trusted_keys.h"
#include "download/source_list.h"
#include "http/http_client.h"
#include "http/http_fetch.h"

struct peer_pieces;

typedef void (*peer_pieces_told_cb)(struct peer_pieces *h, enum engine_pieces what,
				    const char *reason);

struct peer_pieces {
	struct http_client *client;
	uv_loop_t *loop;
	const struct source_place *peer; /* borrowed */
	const struct trusted_keys *keys; /* borrowed */
	const char *version;             /* borrowed */
	const struct manifest *manifest; /* ours; borrowed */
	const char *query;               /* behind each of the peer's URLs; "" = none; borrowed */
	uint64_t timeout_ms;
	bool fetches; /* it is a conductor that does so for us */
	peer_pieces_told_cb told;

	struct http_fetch *fetch; /* NULL = no question is open */
	bool same_manifest;       /* the peer's manifest is of our image */
	bool settled;             /* nothing more is to be heard */
	unsigned n_missed;        /* answers that did not come, since the last that did */
	uint8_t *bits;            /* of PIECES_KNOWN; most significant bit of byte 0 = piece 0 */
};

/* Fill client to told before. n_pieces: of the image. -ENOMEM. */
int peer_pieces_init(struct peer_pieces *h, uint32_t n_pieces);
/* Does nothing while a question is open, or when all is known. */
void peer_pieces_ask(struct peer_pieces *h);
void peer_pieces_stop(struct peer_pieces *h);
void peer_pieces_release(struct peer_pieces *h);

/* Is this a bitmap of n_pieces, without one bit more? */
bool peer_pieces_are_valid(struct span bitmap, uint32_t n_pieces);
