/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/list_news.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/work_pool.h"
#include "conductor/registry/registry_conductors.h"
#include "node/node.h"

static void on_pace(uv_timer_t *timer);

static void forget_walk(struct list_news *l)
{
	free(l->keys);
	l->keys = NULL;
	l->n_keys = l->next = 0;
}

/* Who connects from now on is visited because of that. */
static void begin_walk(struct list_news *l)
{
	forget_walk(l);
	l->n_keys = tunnel_book_list(l->options.book, &l->keys);
	log_debug("the conductors have changed (version %llu): %zu routers are told",
		  (unsigned long long)l->version, l->n_keys);
	(void)uv_timer_start(&l->pace, on_pace, 0, LIST_NEWS_PACE_MS);
}

static void on_pace(uv_timer_t *timer)
{
	struct list_news *l = container_of(timer, struct list_news, pace);

	for (unsigned i = 0; i < LIST_NEWS_AT_ONCE && l->next < l->n_keys; i++)
		l->options.visit(l->options.owner, l->keys[l->next++].fingerprint);
	if (l->next < l->n_keys)
		return;
	forget_walk(l);
	(void)uv_timer_stop(&l->pace);
}

static void ask_version(struct work *work)
{
	struct list_news *l = container_of(work, struct list_news, work);

	memset(&l->err, 0, sizeof(l->err));
	l->found = 0;
	(void)registry_conductors_version(l->options.registry, &l->found, &l->err);
}

/* A registry that does not answer is told of by registry_watch; the list is asked for again when
 * there is a reason to. What the first look finds is told to each router that connects. */
static void take_answer(struct list_news *l)
{
	const uint64_t before = l->version;

	if (l->err.code < 0 || l->found == before)
		return;
	l->version = l->found;
	if (before != 0)
		begin_walk(l);
}

static void on_answered(struct work *work)
{
	struct list_news *l = container_of(work, struct list_news, work);

	l->is_asking = false;
	if (!l->closed)
		take_answer(l);
	if (l->look_again)
		list_news_look(l);
	node_job_ends(l->options.node);
}

void list_news_look(struct list_news *l)
{
	struct node *n = l->options.node;

	l->look_again = l->is_asking;
	if (l->is_asking || l->closed || n->stopping)
		return;
	l->is_asking = true;
	node_job_begins(n);
	work_pool_submit(l->options.pool, &n->loop, &l->work, ask_version, on_answered);
}

static void on_timer(uv_timer_t *timer)
{
	list_news_look(container_of(timer, struct list_news, timer));
}

void list_news_init(struct list_news *l, const struct list_news_options *options)
{
	l->options = *options;
	(void)uv_timer_init(&options->node->loop, &l->timer);
	(void)uv_timer_init(&options->node->loop, &l->pace);
	l->handles = 2;
	if (options->shared)
		(void)uv_timer_start(&l->timer, on_timer, LIST_NEWS_LOOK_MS, LIST_NEWS_LOOK_MS);
}

static void handle_closed(struct list_news *l)
{
	if (--l->handles > 0)
		return;
	forget_walk(l);
	l->closed(l->owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
	handle_closed(container_of((uv_timer_t *)handle, struct list_news, timer));
}

static void on_pace_closed(uv_handle_t *handle)
{
	handle_closed(container_of((uv_timer_t *)handle, struct list_news, pace));
}

void list_news_close(struct list_news *l, void (*closed)(void *owner), void *owner)
{
	l->closed = closed;
	l->owner = owner;
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
	uv_close((uv_handle_t *)&l->pace, on_pace_closed);
}
