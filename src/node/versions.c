/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/versions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "http/http_server.h"

struct versions_waiter {
	struct versions *versions;
	struct versions_waiter *next;
	struct http_exchange *x;
};

void versions_init(struct versions *v, struct http_client *client, uv_loop_t *loop)
{
	memset(v, 0, sizeof(*v));
	v->catalog.client = client;
	v->catalog.loop = loop;
}

void versions_release(struct versions *v)
{
	catalog_release(&v->catalog);
	source_list_release(&v->list);
	cJSON_Delete(v->result);
	v->result = NULL;
}

static void on_gone(void *kept)
{
	struct versions_waiter *waiter = kept;
	struct versions_waiter **at = &waiter->versions->waiters;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	free(waiter);
}

/* One version at one source. */
struct offer {
	const char *version; /* borrowed */
	unsigned source;
	bool on_demand; /* it is not there, but would be fetched for us */
};

/* Orders versions as people count (9 before 10), and the sources of each version by preference. */
static int compare_offers(const void *a, const void *b)
{
	const struct offer *left = a;
	const struct offer *right = b;
	int order = strverscmp(left->version, right->version);

	return order ? order : (int)left->source - (int)right->source;
}

/* Sorted, because a stranger's index may have 25,000 entries. NULL = none, or out of memory. */
static struct offer *collect_offers(const struct versions *v, size_t *ret_n)
{
	struct offer *offers;
	size_t n = 0;

	for (unsigned i = 0; i < v->list.n; i++)
		n += v->catalog.inquiries[i].index.n_entries;
	*ret_n = 0;
	offers = n > 0 ? calloc(n, sizeof(*offers)) : NULL;
	if (!offers)
		return NULL;
	for (unsigned i = 0; i < v->list.n; i++) {
		const struct index *index = &v->catalog.inquiries[i].index;

		for (size_t k = 0; k < index->n_entries; k++) {
			const struct index_entry *entry = &index->entries[k];

			if (entry->available && v->list.places[i].kind != SOURCE_CONDUCTOR)
				continue; /* it does that for its routers, and not for us */
			offers[(*ret_n)++] = (struct offer){.version = entry->version,
							    .source = i,
							    .on_demand = entry->available};
		}
	}
	qsort(offers, *ret_n, sizeof(*offers), compare_offers);
	return offers;
}

static void add_versions(cJSON *versions, const struct versions *v)
{
	size_t n;
	struct offer *offers = collect_offers(v, &n);
	cJSON *item = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *source = v->list.places[offers[i].source].name;
		const char *member = offers[i].on_demand ? "on-demand" : "sources";

		if (i == 0 || strcmp(offers[i - 1].version, offers[i].version) != 0) {
			item = cJSON_CreateObject();
			cJSON_AddStringToObject(item, "version", offers[i].version);
			cJSON_AddArrayToObject(item, "sources");
			cJSON_AddItemToArray(versions, item);
		}
		if (!cJSON_HasObjectItem(item, member))
			cJSON_AddArrayToObject(item, member);
		cJSON_AddItemToArray(cJSON_GetObjectItem(item, member), cJSON_CreateString(source));
	}
	free(offers);
}

static cJSON *make_result(const struct versions *v)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *versions = cJSON_AddArrayToObject(json, "versions");
	cJSON *sources = cJSON_AddArrayToObject(json, "sources");

	for (unsigned i = 0; i < v->list.n; i++) {
		const struct catalog_inquiry *inquiry = &v->catalog.inquiries[i];
		const struct source_place *place = &v->list.places[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "name", place->name);
		cJSON_AddStringToObject(item, "kind", source_kind_name(place->kind));
		if (inquiry->answer.answer == ANSWER_HAS_VERSION)
			cJSON_AddNullToObject(item, "error");
		else
			cJSON_AddStringToObject(item, "error", inquiry->answer.err.text);
		cJSON_AddItemToArray(sources, item);
	}
	add_versions(versions, v);
	return json;
}

static void reply_to_all(struct versions *v)
{
	for (struct versions_waiter *waiter = v->waiters; waiter; waiter = waiter->next)
		http_reply_json(waiter->x, 200, cJSON_Duplicate(v->result, true));
}

static void finish_search(struct versions *v)
{
	cJSON_Delete(v->result);
	v->result = make_result(v);
	catalog_release(&v->catalog);
	reply_to_all(v);
}

static void on_answered(struct catalog *catalog, unsigned source,
			const struct catalog_answer *answer)
{
	struct versions *v = container_of(catalog, struct versions, catalog);

	(void)source;
	(void)answer;
	if (--v->awaited == 0)
		finish_search(v);
}

static int ask_sources(struct versions *v, const struct config *config, struct err *err)
{
	const struct config_download *limits = &config->software_update.download;
	int rc;

	source_list_release(&v->list);
	rc = source_list_make(&v->list, config, err);
	if (rc < 0)
		return rc;
	v->catalog.list = &v->list;
	v->catalog.past_caches = true; /* an operator asks for what the sources have now, and not
					  for what caches have */
	v->catalog.timeout_ms =
		1000u * (uint64_t)(limits->connect_timeout_s + limits->stall_timeout_s);
	v->catalog.answered = on_answered;
	v->awaited = v->list.n;
	if (catalog_ask(&v->catalog) < 0) {
		v->awaited = 0;
		return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

void versions_reply(struct versions *v, struct http_exchange *x, const struct config *config,
		    bool refresh)
{
	struct versions_waiter *waiter;
	struct err err;

	if (v->result && !refresh && v->awaited == 0) {
		http_reply_json(x, 200, cJSON_Duplicate(v->result, true));
		return;
	}
	if (v->awaited == 0 && ask_sources(v, config, &err) < 0) {
		http_reply_problem(x, 500, "%s", err.text);
		return;
	}
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter) {
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	*waiter = (struct versions_waiter){.versions = v, .next = v->waiters, .x = x};
	v->waiters = waiter;
	http_exchange_keep(x, waiter, on_gone);
	if (v->awaited == 0)
		finish_search(v); /* no source at all */
}
