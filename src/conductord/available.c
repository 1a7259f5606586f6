/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/available.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "http/http_server.h"
#include "node/node.h"

struct available_waiter {
	struct available *available;
	struct available_waiter *next;
	struct http_exchange *x;
	void (*then)(void *owner, struct http_exchange *x);
	void *owner;
};

static void on_gone(void *kept)
{
	struct available_waiter *waiter = kept;
	struct available_waiter **at = &waiter->available->waiters;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	free(waiter);
}

static void answer_all(struct available *a)
{
	while (a->waiters) {
		struct available_waiter *waiter = a->waiters;
		const struct available_waiter told = *waiter;

		a->waiters = waiter->next;
		free(waiter);
		http_exchange_keep(told.x, NULL, NULL);
		told.then(told.owner, told.x);
	}
}

static int compare_newest_first(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return strverscmp(*right, *left);
}

/* Names of all that the sources have, each perhaps several times; borrowed from the catalog. */
static const char **collect(const struct available *a, size_t *ret_n)
{
	const char **names;
	size_t n = 0;

	for (unsigned i = 0; i < a->list.n; i++)
		n += a->catalog.inquiries[i].index.n_entries;
	*ret_n = 0;
	names = calloc(n + 1, sizeof(*names));
	for (unsigned i = 0; names && i < a->list.n; i++) {
		const struct index *index = &a->catalog.inquiries[i].index;

		for (size_t k = 0; k < index->n_entries; k++)
			if (!index->entries[k].available)
				names[(*ret_n)++] = index->entries[k].version;
	}
	return names;
}

/* Without memory for it, what was known stays. */
static void take_answers(struct available *a)
{
	char(*versions)[MANIFEST_NAME_SIZE] = calloc(AVAILABLE_MAX, sizeof(*versions));
	size_t n_names = 0;
	const char **names = collect(a, &n_names);
	size_t n = 0;

	if (!versions || !names) {
		free(versions);
		free(names);
		return;
	}
	qsort(names, n_names, sizeof(*names), compare_newest_first);
	for (size_t i = 0; i < n_names && n < AVAILABLE_MAX; i++)
		if (n == 0 || strcmp(versions[n - 1], names[i]) != 0)
			memcpy(versions[n++], names[i], strlen(names[i]) + 1);
	free(names);
	free(a->versions);
	a->versions = versions;
	a->n = n;
	a->is_known = true;
}

static void on_answered(struct catalog *catalog, unsigned source,
			const struct catalog_answer *answer)
{
	struct available *a = container_of(catalog, struct available, catalog);

	(void)source;
	(void)answer;
	if (--a->awaited > 0)
		return;
	(void)uv_timer_stop(&a->timer);
	take_answers(a);
	catalog_release(&a->catalog);
	answer_all(a);
}

static void on_waited(uv_timer_t *timer)
{
	struct available *a = container_of(timer, struct available, timer);

	if (!a->is_known)
		take_answers(a);
	answer_all(a);
}

static int ask_sources(struct available *a)
{
	const struct config *config = a->node->config;
	const struct config_download *limits = &config->software_update.download;
	struct err err;
	int rc;

	source_list_release(&a->list);
	rc = source_list_make(&a->list, config, &err);
	if (rc < 0)
		return rc;
	a->catalog.client = a->node->client;
	a->catalog.loop = &a->node->loop;
	a->catalog.list = &a->list;
	a->catalog.timeout_ms =
		1000u * (uint64_t)(limits->connect_timeout_s + limits->stall_timeout_s);
	a->catalog.answered = on_answered;
	a->asked_ms = uv_now(&a->node->loop);
	if (a->list.n == 0) {
		a->is_known = true;
		a->n = 0;
		return -ENOENT;
	}
	rc = catalog_ask(&a->catalog);
	if (rc == 0) {
		a->awaited = a->list.n;
		(void)uv_timer_start(&a->timer, on_waited, AVAILABLE_WAIT_MS, 0);
	}
	return rc;
}

void available_init(struct available *a, struct node *node)
{
	a->node = node;
	(void)uv_timer_init(&node->loop, &a->timer);
}

void available_when_known(struct available *a, struct http_exchange *x,
			  void (*then)(void *owner, struct http_exchange *x), void *owner)
{
	bool is_young = a->is_known && uv_now(&a->node->loop) - a->asked_ms < AVAILABLE_AGE_MS;
	struct available_waiter *waiter;

	if (is_young || a->closed || (a->awaited == 0 && ask_sources(a) < 0) ||
	    (a->awaited > 0 && !uv_is_active((uv_handle_t *)&a->timer))) {
		then(owner, x);
		return;
	}
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter) {
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	*waiter = (struct available_waiter){
		.available = a, .next = a->waiters, .x = x, .then = then, .owner = owner};
	a->waiters = waiter;
	http_exchange_keep(x, waiter, on_gone);
}

bool available_has(const struct available *a, const char *version)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->versions[i], version) == 0)
			return true;
	return false;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct available *a = container_of((uv_timer_t *)handle, struct available, timer);

	source_list_release(&a->list);
	free(a->versions);
	a->versions = NULL;
	a->n = 0;
	a->closed(a->owner);
}

void available_close(struct available *a, void (*closed)(void *owner), void *owner)
{
	a->closed = closed;
	a->owner = owner;
	catalog_release(&a->catalog);
	a->awaited = 0;
	uv_close((uv_handle_t *)&a->timer, on_timer_closed);
}
