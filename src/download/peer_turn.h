/* peer_turn.h - asks the HA peer how it gets on with a download, for the node whose turn is
 * later.
 *
 * It asks and reports, and decides nothing: the engine does (engine_sequence.c). Each question is
 * answered once, within twice HA_ANSWER_MS, by heard(), or not at all where memory is short: first
 * the peer's download is asked for, then, where that is not at work, its index: it may have the
 * image without ever having downloaded it, or have downloaded one that was deleted since.
 *
 * Calling sequence: fill client to heard -> peer_turn_ask, once a second -> peer_turn_stop at
 * any time, also from heard: no answer comes after it.
 */
#pragma once

#include <uv.h>

#include "download/engine/engine.h"
#include "http/http_client.h"
#include "http/http_fetch.h"

/* The peer is a short way off and its answers are small: one that takes longer is none. */
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
