/* SPDX-License-Identifier: GPL-3.0-or-later */
/* peer_turn.h - asks the HA peer how its download of the same version stands, for the node whose
 * turn comes second.
 *
 * It asks and reports; the engine decides (engine_sequence.c). heard() answers each question
 * once, within twice HA_ANSWER_MS, or not at all if memory is short. First the peer's download is
 * asked for. If that is not at work, its index is read: it may have an image that it never
 * downloaded, or have deleted one that it did.
 *
 * Calling sequence: fill client to heard -> peer_turn_ask, once a second -> peer_turn_stop at
 * any time, also from heard: no answer comes after it.
 */
#pragma once

#include <uv.h>

#include "download/engine/engine.h"
#include "http/http_client.h"
#include "http/http_fetch.h"

/* The peer is near and its answers are small: an answer that takes longer counts as none. */
#define HA_ANSWER_MS 3000u

struct peer_turn;

typedef void (*ha_heard_cb)(struct peer_turn *s, enum engine_peer peer, const char *reason);

struct peer_turn {
	struct http_client *client;
	uv_loop_t *loop;
	const char *version; /* borrowed */
	ha_heard_cb heard;

	struct http_fetch *fetch; /* NULL = no question is open */
	struct http_access access;
	char *url;      /* the peer's; owned */
	struct err why; /* what was heard of the download, while the index is asked for */
};

/* Does nothing while a question is open. peer_url ends in '/'. */
void peer_turn_ask(struct peer_turn *s, const char *peer_url);
void peer_turn_stop(struct peer_turn *s);
