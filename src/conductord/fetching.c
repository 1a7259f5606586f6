/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/fetching.h"

#include <stdlib.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "conductord/fetch_rules.h"
#include "download/download_share.h"
#include "download/image/index.h"
#include "node/images.h"
#include "node/node.h"
#include "node/share.h"

struct fetch_begun {
	struct fetch_begun *next;
	char version[MANIFEST_NAME_SIZE];
	uint64_t at_ms;
};

static bool is_on(const struct node *n)
{
	return n->config->software_update.fetch_on_demand && !images_only_imported(n);
}

/* Forgets what was begun longer ago. */
static bool is_rested(struct fetching *f, const char *version)
{
	const uint64_t now_ms = uv_now(&f->node->loop);
	struct fetch_begun **at = &f->begun;
	bool rested = true;

	while (*at) {
		struct fetch_begun *begun = *at;

		if (now_ms - begun->at_ms >= FETCH_REST_MS) {
			*at = begun->next;
			free(begun);
			continue;
		}
		rested &= strcmp(begun->version, version) != 0;
		at = &begun->next;
	}
	return rested;
}

/* Without memory it may be begun again sooner. */
static void note_begun(struct fetching *f, const char *version)
{
	struct fetch_begun *begun = calloc(1, sizeof(*begun));

	if (!begun)
		return;
	memcpy(begun->version, version, strlen(version) + 1);
	begun->at_ms = uv_now(&f->node->loop);
	begun->next = f->begun;
	f->begun = begun;
}

static void begin(struct fetching *f, struct http_exchange *x, const char *version)
{
	const struct download_request request = {.version = version};
	const struct download *d;
	struct err err;

	note_begun(f, version);
	if (download_list_request(f->node->downloads, &request, &d, &err) < 0) {
		http_reply_problem(x, 502, "the conductor could not fetch %s: %s", version,
				   err.text);
		return;
	}
	log_event(LOG_FETCH_ON_DEMAND, &(struct log_fields){.version = version},
		  "download %s: begun, since a router asks for it", version);
	http_reply_problem(x, 503, "the conductor fetches %s now", version);
}

static void tell(struct http_exchange *x, unsigned status, const char *what,
		 const struct download *d)
{
	const char *error = d->engine.error;

	http_reply_problem(x, status, "%s %s: its download is %s%s%s", what, d->version,
			   engine_state_name(download_state(d)), error[0] ? ": " : "", error);
}

static struct fetch_question question_of(struct fetching *f, const struct http_exchange *x)
{
	const char *version = http_exchange_parameter(x, "version");
	const struct download *d = download_list_find(f->node->downloads, version);

	return (struct fetch_question){
		.is_manifest = strcmp(http_exchange_parameter(x, "file"), "manifest.jws") == 0,
		.is_present = repository_find(f->node->repository, version),
		.is_listed = available_has(&f->available, version),
		.has_download = d != NULL,
		.state = d ? download_state(d) : ENGINE_QUEUED,
		.shares = d && download_shares(d),
		.is_rested = is_rested(f, version),
	};
}

static void answer(void *owner, struct http_exchange *x)
{
	struct fetching *f = owner;
	const char *version = http_exchange_parameter(x, "version");
	const struct download *d = download_list_find(f->node->downloads, version);
	const struct fetch_question question = question_of(f, x);

	switch (fetch_decide(&question)) {
	case FETCH_SERVE:
		share_serve_own_file(x);
		return;
	case FETCH_BEGIN:
		begin(f, x, version);
		return;
	case FETCH_AT_WORK:
		tell(x, 503, "the conductor is fetching", d);
		return;
	case FETCH_REFUSE:
		tell(x, 502, "the conductor could not fetch", d);
		return;
	}
}

bool fetching_serve_file(struct fetching *f, struct http_exchange *x)
{
	const char *file = http_exchange_parameter(x, "file");
	const char *fetch = http_exchange_query(x, "fetch");
	struct fetch_question question;

	if (!is_on(f->node) || (strcmp(file, "manifest.jws") != 0 && strcmp(file, "pieces") != 0))
		return false;
	if (fetch && strcmp(fetch, "false") == 0)
		return false; /* the other conductor of a pair only looks */
	question = question_of(f, x);
	if (fetch_needs_list(&question))
		available_when_known(&f->available, x, answer, f);
	else
		answer(f, x);
	return true;
}

static bool is_unfinished(const struct node *n, const char *version)
{
	const struct download *d = download_list_find(n->downloads, version);

	return d && !engine_state_is_ended(download_state(d));
}

/* What is there, then what is being fetched, even if its source is gone just now, then what could
 * be.
 */
static void reply_index(void *owner, struct http_exchange *x)
{
	const struct fetching *f = owner;
	const struct node *n = f->node;
	cJSON *json = cJSON_CreateObject();
	cJSON *versions = cJSON_AddArrayToObject(json, "versions");

	for (size_t i = 0; i < repository_count(n->repository); i++)
		index_add_version(versions, repository_at(n->repository, i)->version,
				  repository_at(n->repository, i)->imported);
	for (const struct download *d = download_list_first(n->downloads); d; d = d->next)
		if (is_unfinished(n, d->version) && !repository_find(n->repository, d->version))
			index_add_available(versions, d->version);
	for (size_t i = 0; i < f->available.n; i++)
		if (!repository_find(n->repository, f->available.versions[i]) &&
		    !is_unfinished(n, f->available.versions[i]))
			index_add_available(versions, f->available.versions[i]);
	http_reply_json(x, 200, json);
}

bool fetching_serve_index(struct fetching *f, struct http_exchange *x)
{
	if (!is_on(f->node))
		return false;
	available_when_known(&f->available, x, reply_index, f);
	return true;
}

void fetching_init(struct fetching *f, struct node *node)
{
	f->node = node;
	available_init(&f->available, node);
}

void fetching_close(struct fetching *f, void (*closed)(void *owner), void *owner)
{
	while (f->begun) {
		struct fetch_begun *begun = f->begun;

		f->begun = begun->next;
		free(begun);
	}
	available_close(&f->available, closed, owner);
}
