/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "download/fetch_reason.h"

/* Tells the owner. The catalog may be gone when this returns. */
static void answer(struct catalog_inquiry *inquiry, enum engine_answer what)
{
	struct catalog *catalog = inquiry->catalog;

	inquiry->answer.answer = what;
	catalog->answered(catalog, inquiry->source, &inquiry->answer);
}

static int fetch(struct catalog_inquiry *inquiry, char *url, size_t max, uint64_t after_ms,
		 http_fetch_done_cb done)
{
	struct catalog *catalog = inquiry->catalog;
	const struct source_place *place = &catalog->list->places[inquiry->source];
	const struct http_ask ask = {
		.url = url,
		.access = &place->access,
		.max_bytes = max,
		.timeout_ms = catalog->timeout_ms,
		.any_status = inquiry->on_demand, /* the answer says why */
		.caching = inquiry->past_caches ? HTTP_PAST_CACHES : HTTP_YOUNG,
		.after_ms = after_ms,
	};
	int rc = -ENOMEM;

	if (url)
		rc = http_fetch_start(&inquiry->fetch, catalog->client, catalog->loop, &ask, done,
				      inquiry);
	free(url);
	return rc;
}

/* Is the server only busy? If so, *ret says how long to wait. */
static bool is_for_later(const struct catalog_inquiry *inquiry,
			 const struct http_fetch_result *result, uint64_t *ret_after_ms)
{
	bool busy = result->status == 429 || result->status == 503;
	uint64_t asked_ms = result->retry_after_s > 0 ? (uint64_t)result->retry_after_s * 1000 : 0;

	if (inquiry->tries + 1 >= DOCUMENT_TRIES || asked_ms > DOCUMENT_RETRY_AFTER_MAX)
		return false;
	if (!busy && !(result->unreached && inquiry->has_served))
		return false;
	*ret_after_ms = asked_ms ? asked_ms : (uint64_t)DOCUMENT_AGAIN_MS << inquiry->tries / 2;
	return true;
}

static void refuse_fetch(struct catalog_inquiry *inquiry, const struct http_fetch_result *result,
			 const char *what)
{
	inquiry->answer.err = result->err;
	(void)err_wrap(&inquiry->answer.err, "%s", what);
	if (result->retry_after_s > 0)
		inquiry->answer.retry_after_ms = (uint64_t)result->retry_after_s * 1000;
	answer(inquiry, ANSWER_FAILED);
}

/* Says in err what is wrong with the document. If an HTML page came instead of it, a captive
 * portal has answered, not the source. */
static void tell_portal(const struct http_fetch_result *result, const char *what, struct err *err)
{
	if (result->is_page)
		(void)err_set(err, -EPROTO,
			      "HTTP 200 with a page of HTML instead of %s: somebody on the way, as "
			      "a captive portal, answers in its place",
			      what);
	else
		(void)err_wrap(err, "%s", what);
}

static int fetch_manifest(struct catalog_inquiry *inquiry, uint64_t after_ms);
static int fetch_index(struct catalog_inquiry *inquiry, uint64_t after_ms);

/* If what came does not fit, it may be from a cache: the inquiry is made once more, past caches.
 * Returns whether it is. */
static bool asks_past_caches(struct catalog_inquiry *inquiry)
{
	struct err *err = &inquiry->answer.err;

	if (inquiry->past_caches)
		return false;
	inquiry->past_caches = true;
	inquiry->on_demand = false;
	index_release(&inquiry->index);
	memset(&inquiry->index, 0, sizeof(inquiry->index));
	memset(err, 0, sizeof(*err));
	return fetch_index(inquiry, 0) == 0;
}

/* The conductor that would fetch the version for us has no manifest to give, and says why. */
static void take_reason(struct catalog_inquiry *inquiry, const struct http_fetch_result *result)
{
	struct err *err = &inquiry->answer.err;
	bool later = result->status == 503 || result->status == 429;

	fetch_reason_tell(result, err);
	if (later && fetch_manifest(inquiry, FETCHER_AGAIN_MS) == 0) {
		inquiry->catalog->answered(
			inquiry->catalog, inquiry->source,
			&(struct catalog_answer){.answer = ANSWER_LATER, .err = *err});
		return;
	}
	answer(inquiry, result->status == 404 ? ANSWER_NO_VERSION : ANSWER_FAILED);
}

static void on_manifest(struct http_fetch *http_fetch, const struct http_fetch_result *result,
			void *owner)
{
	struct catalog_inquiry *inquiry = owner;
	struct catalog *catalog = inquiry->catalog;
	struct err *err = &inquiry->answer.err;
	uint64_t after_ms;

	(void)http_fetch;
	inquiry->fetch = NULL;
	if (result->err.code < 0) {
		if (!is_for_later(inquiry, result, &after_ms) ||
		    fetch_manifest(inquiry, after_ms) < 0)
			refuse_fetch(inquiry, result, "manifest.jws");
		return;
	}
	if (result->status != 200) {
		take_reason(inquiry, result);
		return;
	}
	memset(err, 0, sizeof(*err)); /* of what it said before */
	if (manifest_parse(&inquiry->manifest, catalog->keys->keys, catalog->keys->n, result->body,
			   catalog->version, err) < 0) {
		tell_portal(result, "manifest", err);
		if (!asks_past_caches(inquiry))
			answer(inquiry, result->is_page ? ANSWER_FAILED : ANSWER_BAD_MANIFEST);
		return;
	}
	inquiry->manifest_jws = malloc(result->body.size);
	if (!inquiry->manifest_jws) {
		(void)err_set(err, -ENOMEM, "manifest: out of memory");
		answer(inquiry, ANSWER_FAILED);
		return;
	}
	memcpy(inquiry->manifest_jws, result->body.bytes, result->body.size);
	inquiry->manifest_jws_size = result->body.size;
	answer(inquiry, ANSWER_HAS_VERSION);
}

static int fetch_manifest(struct catalog_inquiry *inquiry, uint64_t after_ms)
{
	struct catalog *catalog = inquiry->catalog;
	const struct source_place *place = &catalog->list->places[inquiry->source];

	if (after_ms > 0 && !inquiry->on_demand)
		inquiry->tries++;
	return fetch(inquiry, source_url(place, catalog->version, "manifest.jws"),
		     MANIFEST_SIZE_MAX, after_ms, on_manifest);
}

/* Is this a source that we make fetch what it does not have? */
static bool may_fetch(const struct source_place *place)
{
	return place->kind == SOURCE_CONDUCTOR && !place->only_imported;
}

static void ask_for_manifest(struct catalog_inquiry *inquiry)
{
	struct catalog *catalog = inquiry->catalog;
	const struct source_place *place = &catalog->list->places[inquiry->source];
	const struct index_entry *entry = index_find(&inquiry->index, catalog->version);
	struct err *err = &inquiry->answer.err;

	if (!entry && asks_past_caches(inquiry))
		return;
	if (entry && entry->available && !may_fetch(place)) {
		(void)err_set(err, -ENOENT, "does not have %s, and fetches it only for routers",
			      catalog->version);
		answer(inquiry, ANSWER_NO_VERSION);
		return;
	}
	if (!entry || (place->only_imported && !entry->imported)) {
		(void)err_set(err, -ENOENT,
			      entry ? "has %s, but it was not imported there, and access-mode is "
				      "offline-mode"
				    : "does not have %s",
			      catalog->version);
		answer(inquiry, ANSWER_NO_VERSION);
		return;
	}
	inquiry->imported = entry->imported;
	inquiry->on_demand = entry->available;
	inquiry->tries = 0;
	inquiry->has_served = true;
	if (fetch_manifest(inquiry, 0) < 0) {
		(void)err_set(err, -ENOMEM, "manifest: out of memory");
		answer(inquiry, ANSWER_FAILED);
	}
}

static void on_index(struct http_fetch *http_fetch, const struct http_fetch_result *result,
		     void *owner)
{
	struct catalog_inquiry *inquiry = owner;
	struct err *err = &inquiry->answer.err;
	uint64_t after_ms;

	(void)http_fetch;
	inquiry->fetch = NULL;
	if (result->err.code < 0) {
		if (!is_for_later(inquiry, result, &after_ms) || fetch_index(inquiry, after_ms) < 0)
			refuse_fetch(inquiry, result, "index.json");
		return;
	}
	if (index_parse(&inquiry->index, result->body, err) < 0) {
		tell_portal(result, "index.json", err);
		answer(inquiry, ANSWER_FAILED);
		return;
	}
	if (inquiry->catalog->version) {
		ask_for_manifest(inquiry);
		return;
	}
	if (inquiry->catalog->list->places[inquiry->source].only_imported)
		index_keep_imported(&inquiry->index);
	answer(inquiry, ANSWER_HAS_VERSION);
}

static int fetch_index(struct catalog_inquiry *inquiry, uint64_t after_ms)
{
	if (after_ms > 0)
		inquiry->tries++;
	return fetch(
		inquiry,
		source_url(&inquiry->catalog->list->places[inquiry->source], NULL, "index.json"),
		INDEX_SIZE_MAX, after_ms, on_index);
}

int catalog_ask(struct catalog *catalog)
{
	unsigned n = catalog->list->n;

	catalog->inquiries = calloc(n + 1, sizeof(*catalog->inquiries));
	if (!catalog->inquiries)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		struct catalog_inquiry *inquiry = &catalog->inquiries[i];

		inquiry->catalog = catalog;
		inquiry->source = i;
		inquiry->past_caches = catalog->past_caches;
		if (fetch_index(inquiry, 0) < 0) {
			catalog_release(catalog);
			return -ENOMEM;
		}
	}
	return 0;
}

void catalog_release(struct catalog *catalog)
{
	if (!catalog->inquiries)
		return;
	for (unsigned i = 0; i < catalog->list->n; i++) {
		struct catalog_inquiry *inquiry = &catalog->inquiries[i];

		if (inquiry->fetch)
			http_fetch_cancel(inquiry->fetch);
		index_release(&inquiry->index);
		manifest_release(&inquiry->manifest);
		free(inquiry->manifest_jws);
	}
	free(catalog->inquiries);
	catalog->inquiries = NULL;
}
