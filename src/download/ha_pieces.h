/* ha_pieces.h - asks the HA peer which pieces of an image it has, while both are downloading it.
 *
 * The peer need not have anything yet, and may begin later: first its manifest is asked for, again
 * and again, and compared with ours; then its pieces. When it has none to tell, its index is looked
 * at: an image that is complete is in there, and then it has everything and is asked no more.
 * Nothing the peer says is believed but that it has a piece: what it then sends is hashed.
 *
 * Calling sequence: ha_pieces_init -> ha_pieces_ask, once a second -> told ... -> ha_pieces_stop at
 * any time, also from told: nothing is told after it. bits stays until ha_pieces_release.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/http_client.h"
#include "core/http_fetch.h"
#include "download/engine.h"
#include "download/manifest.h"
#include "download/source_list.h"
#include "download/trusted_keys.h"

struct ha_pieces;

typedef void (*ha_pieces_told_cb)(struct ha_pieces *h, enum engine_pieces what, const char *reason);

struct ha_pieces {
	struct http_client *client;
	uv_loop_t *loop;
	const struct source_place *peer; /* borrowed */
	const struct trusted_keys *keys; /* borrowed */
	const char *version;             /* borrowed */
	const struct manifest *manifest; /* ours; borrowed */
	ha_pieces_told_cb told;

	struct http_fetch *fetch; /* NULL = no question is open */
	bool same_manifest;       /* the peer's is that of our image */
	bool settled;             /* nothing more is to be heard */
	unsigned n_missed;        /* answers that did not come, since the last that did */
	uint8_t *bits;            /* of PIECES_KNOWN; most significant bit of byte 0 = piece 0 */
};

/* Fill client to told before. -ENOMEM. */
int ha_pieces_init(struct ha_pieces *h);
/* Does nothing while a question is open, or when all is known. */
void ha_pieces_ask(struct ha_pieces *h);
void ha_pieces_stop(struct ha_pieces *h);
void ha_pieces_release(struct ha_pieces *h);

/* Is this a bitmap of n_pieces? Not one bit more. */
bool ha_pieces_are_valid(struct span bitmap, uint32_t n_pieces);
