/* SPDX-License-Identifier: GPL-3.0-or-later */
/* list_news.h - sees to it that enrolled routers hear of other conductors: when the registry has a
 * newer list, each router whose tunnel stands here is visited.
 *
 * A shared registry is asked every second; one of a single conductor when somebody says so. Routers
 * are visited a few at a time, so that a fleet does not come at once.
 *
 * Calling sequence: list_news_init -> list_news_look ... -> list_news_close.
 */
#pragma once

#include <uv.h>

#include "base/err.h"
#include "base/work.h"
#include "conductord/tunnel_book.h"

struct node;
struct registry;
struct work_pool;

#define LIST_NEWS_LOOK_MS 1000
#define LIST_NEWS_PACE_MS 50
#define LIST_NEWS_AT_ONCE 8 /* of each pace: 50,000 in about five minutes */

struct list_news_options {
	struct node *node; /* waits for a question that is being asked */
	struct work_pool *pool;
	struct registry *registry;
	bool shared; /* look each second */
	struct tunnel_book *book;
	void (*visit)(void *owner, const char *fingerprint);
	void *owner;
};

struct list_news {
	struct list_news_options options;
	uv_timer_t timer; /* of the next look */
	uv_timer_t pace;  /* of the next visits */
	struct work work;
	bool is_asking;
	bool look_again;
	uint64_t version;             /* that is told of; 0 = none was read yet */
	struct tunnel_book_key *keys; /* of those that are to be visited; NULL = none */
	size_t n_keys;
	size_t next;
	unsigned handles;
	void (*closed)(void *owner); /* NULL = not closing */
	void *owner;
	/* The worker's while it asks. */
	uint64_t found;
	struct err err;
};

void list_news_init(struct list_news *l, const struct list_news_options *options);
/* The list may have changed. */
void list_news_look(struct list_news *l);
/* The node waits for a question that is being asked. */
void list_news_close(struct list_news *l, void (*closed)(void *owner), void *owner);
