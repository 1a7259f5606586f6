/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/peer_turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "download/ha_status.h"
#include "download/image/index.h"

static void tell_state(struct peer_turn *s, enum engine_peer peer, const struct err *why)
{
	s->heard(s, peer, why->code < 0 ? why->text : "");
}

static int fetch(struct peer_turn *s, const char *path, size_t max, http_fetch_done_cb done)
{
	char *url = NULL;
	int rc = -ENOMEM;

	if (asprintf(&url, "%s%s", s->url, path) >= 0) {
		const struct http_ask ask = {
			.url = url,
			.access = &s->access,
			.max_bytes = max,
			.timeout_ms = HA_ANSWER_MS,
		};

		rc = http_fetch_start(&s->fetch, s->client, s->loop, &ask, done, s);
		free(url);
	}
	return rc;
}

static void on_index(struct http_fetch *http_fetch, const struct http_fetch_result *result,
		     void *owner)
{
	struct peer_turn *s = owner;
	struct index index = {0};
	struct err err;
	bool has_it = result->err.code == 0 && index_parse(&index, result->body, &err) == 0 &&
		      index_find(&index, s->version);

	(void)http_fetch;
	s->fetch = NULL;
	index_release(&index);
	tell_state(s, has_it ? PEER_HAS_IT : PEER_NOTHING, &s->why);
}

static void ask_for_index(struct peer_turn *s)
{
	if (fetch(s, "index.json", INDEX_SIZE_MAX, on_index) < 0)
		tell_state(s, PEER_NOTHING, &s->why);
}

/* Returns what the peer's answer says of its download. If it is not believed, s->why says why. */
static enum engine_peer read_status(struct peer_turn *s, const struct http_fetch_result *result)
{
	enum engine_peer peer = PEER_NOTHING;
	enum engine_state state = ENGINE_QUEUED;

	if (result->status == 404) {
		(void)err_set(&s->why, -ENOENT, "it has no download of %s", s->version);
	} else if (result->err.code < 0) {
		s->why = result->err;
	} else if (ha_status_parse(result->body, s->version, &peer, &state, &s->why) < 0) {
		(void)err_wrap(&s->why, "its answer");
		return PEER_NOTHING;
	} else if (peer == PEER_HAS_IT) {
		/* The peer may have deleted the image since, so its index is asked. */
		(void)err_set(&s->why, -ENOENT, "its download is complete, but it has no image");
		return PEER_NOTHING;
	} else if (peer == PEER_NOTHING || peer == PEER_GAVE_UP) {
		(void)err_set(&s->why, -ECANCELED, "its download is %s", engine_state_name(state));
	}
	return peer;
}

static void on_status(struct http_fetch *http_fetch, const struct http_fetch_result *result,
		      void *owner)
{
	struct peer_turn *s = owner;
	enum engine_peer peer;

	(void)http_fetch;
	s->fetch = NULL;
	s->why.code = 0;
	peer = read_status(s, result);
	if (peer == PEER_NOTHING && result->status != 0)
		ask_for_index(s);
	else
		tell_state(s, peer, &s->why);
}

void peer_turn_ask(struct peer_turn *s, const char *peer_url)
{
	char *path = NULL;

	if (s->fetch)
		return;
	free(s->url);
	s->url = strdup(peer_url);
	s->access = (struct http_access){.connect_timeout_s = HA_ANSWER_MS / 1000};
	/* Without memory it is asked again in a second. */
	if (s->url && asprintf(&path, "v1/downloads/%s", s->version) >= 0)
		(void)fetch(s, path, HA_STATUS_SIZE_MAX, on_status);
	free(path);
}

void peer_turn_stop(struct peer_turn *s)
{
	if (s->fetch)
		http_fetch_cancel(s->fetch);
	s->fetch = NULL;
	free(s->url);
	s->url = NULL;
}
