/* SPDX-License-Identifier: GPL-3.0-or-later */
/* catalog.h - asks all sources at the same time which versions they have.
 *
 * If a version is given, a source that has it is also asked for its manifest. Each source answers
 * once, in any order; a slow one delays nobody. An answer comes after at most four times the time
 * limit: for index and manifest, and for both once more past caches if they did not fit. While
 * the source is busy, each document is asked for again, up to DOCUMENT_TRIES times.
 *
 * A conductor that would fetch the version for a router is asked for its manifest all the same:
 * that makes it begin. While it says that it has begun, it is asked again each second, without end,
 * and ANSWER_LATER comes with what it says, each time, before its answer.
 *
 * Calling sequence: catalog_ask -> answered, once for each source -> catalog_release.
 * catalog_release may be called at any time, also from answered: no answer comes after it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "download/engine/engine.h"
#include "download/image/index.h"
#include "download/image/manifest.h"
#include "download/image/trusted_keys.h"
#include "download/source_list.h"
#include "http/http_client.h"
#include "http/http_fetch.h"

struct catalog;

struct catalog_answer {
	enum engine_answer answer;
	struct err err;          /* unless it has the version */
	uint64_t retry_after_ms; /* 0 = not asked for */
};

typedef void (*catalog_answered_cb)(struct catalog *catalog, unsigned source,
				    const struct catalog_answer *answer);

/* A document that a busy server refuses (429, 503, or no connection although it sent the index)
 * is asked for again: after what Retry-After says, else after 250, 250, 500, 500 ms, 1 s and so
 * on. */
#define DOCUMENT_TRIES           9u
#define DOCUMENT_AGAIN_MS        250u
#define DOCUMENT_RETRY_AFTER_MAX 10000u
/* Between two questions to a conductor that has begun to fetch the version. */
#define FETCHER_AGAIN_MS         1000u

struct catalog_inquiry {
	struct catalog *catalog;
	unsigned source;
	struct http_fetch *fetch; /* NULL = none is running */
	unsigned tries;           /* of this document */
	bool has_served;          /* the index came */
	struct catalog_answer answer;
	bool past_caches;         /* asked so: what came before did not fit */
	struct index index;       /* when no version is asked for */
	bool imported;            /* when one is: it was, there */
	bool on_demand;           /* likewise: the source fetches it for us */
	struct manifest manifest; /* likewise, and the source has it */
	char *manifest_jws;
	size_t manifest_jws_size;
};

struct catalog {
	struct http_client *client;
	uv_loop_t *loop;
	const struct source_list *list;  /* borrowed */
	const struct trusted_keys *keys; /* borrowed; not needed without version */
	const char *version;             /* borrowed; NULL = which versions there are */
	uint64_t timeout_ms;             /* of one document */
	bool past_caches;                /* else what a cache has for at most a minute will do */
	catalog_answered_cb answered;
	struct catalog_inquiry *inquiries; /* owned, one a source */
};

/* Fill client to answered before. -ENOMEM. */
int catalog_ask(struct catalog *catalog);
void catalog_release(struct catalog *catalog);
