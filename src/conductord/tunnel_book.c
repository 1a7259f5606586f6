/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/tunnel_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tunnel_book_line {
	struct tunnel_book_line *next_by_key;
	struct tunnel_book_line *next_by_id;
	uint32_t id;
	enum ssh_kex kex;
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	unsigned taken; /* how often one was taken the place of */
	int64_t taken_since_s;
	bool is_told;
};

void tunnel_book_init(struct tunnel_book *book)
{
	memset(book, 0, sizeof(*book));
	(void)uv_mutex_init(&book->lock);
}

void tunnel_book_release(struct tunnel_book *book)
{
	tunnel_book_clear(book);
	uv_mutex_destroy(&book->lock);
}

/* A fingerprint is a digest: some of its characters are as good as all. */
static struct tunnel_book_line **bucket_of_key(struct tunnel_book *book, const char *fingerprint)
{
	unsigned hash = 0;

	for (unsigned i = 0; i < 8 && fingerprint[i]; i++)
		hash = hash * 37 + (uint8_t)fingerprint[i];
	return &book->by_key[hash % TUNNEL_BOOK_BUCKETS];
}

static struct tunnel_book_line **bucket_of_id(struct tunnel_book *book, uint32_t id)
{
	return &book->by_id[id % TUNNEL_BOOK_BUCKETS];
}

static struct tunnel_book_line **find_key(struct tunnel_book *book, const char *fingerprint)
{
	struct tunnel_book_line **at = bucket_of_key(book, fingerprint);

	while (*at && strcmp((*at)->fingerprint, fingerprint) != 0)
		at = &(*at)->next_by_key;
	return at;
}

static struct tunnel_book_line **find_id(struct tunnel_book *book, uint32_t id)
{
	struct tunnel_book_line **at = bucket_of_id(book, id);

	while (*at && (*at)->id != id)
		at = &(*at)->next_by_id;
	return at;
}

/* Under the lock. line may be NULL. */
static void remove_line(struct tunnel_book *book, struct tunnel_book_line *line)
{
	struct tunnel_book_line **at;

	if (!line)
		return;
	at = find_key(book, line->fingerprint);
	*at = line->next_by_key;
	at = bucket_of_id(book, line->id);
	while (*at != line) /* ids are used again */
		at = &(*at)->next_by_id;
	*at = line->next_by_id;
	book->n--;
	free(line);
}

/* The new line takes the place of old, which stands. Returns whether it is to be told of. */
static bool take_place(struct tunnel_book_line *line, const struct tunnel_book_line *old,
		       int64_t now_s)
{
	const bool is_soon = now_s - old->taken_since_s <= TUNNEL_BOOK_TAKEN_S;
	bool is_news;

	line->taken = is_soon ? old->taken + 1 : 1;
	line->taken_since_s = is_soon && old->taken > 0 ? old->taken_since_s : now_s;
	is_news = line->taken >= TUNNEL_BOOK_TAKEN && !old->is_told;
	line->is_told = old->is_told || is_news;
	return is_news;
}

bool tunnel_book_add(struct tunnel_book *book, uint32_t id, const char *fingerprint,
		     enum ssh_kex kex, int64_t now_s)
{
	struct tunnel_book_line *line = calloc(1, sizeof(*line));
	struct tunnel_book_line **by_key = bucket_of_key(book, fingerprint);
	struct tunnel_book_line **by_id = bucket_of_id(book, id);
	struct tunnel_book_line *old;
	bool is_news = false;

	uv_mutex_lock(&book->lock);
	old = *find_key(book, fingerprint);
	if (old && line)
		is_news = take_place(line, old, now_s);
	remove_line(book, old);
	if (line) {
		line->id = id;
		line->kex = kex;
		(void)snprintf(line->fingerprint, sizeof(line->fingerprint), "%s", fingerprint);
		line->next_by_key = *by_key;
		line->next_by_id = *by_id;
		*by_key = *by_id = line;
		book->n++;
	}
	uv_mutex_unlock(&book->lock);
	return is_news;
}

void tunnel_book_remove(struct tunnel_book *book, uint32_t id)
{
	uv_mutex_lock(&book->lock);
	remove_line(book, *find_id(book, id));
	uv_mutex_unlock(&book->lock);
}

void tunnel_book_clear(struct tunnel_book *book)
{
	uv_mutex_lock(&book->lock);
	for (unsigned i = 0; i < TUNNEL_BOOK_BUCKETS; i++)
		while (book->by_key[i])
			remove_line(book, book->by_key[i]);
	uv_mutex_unlock(&book->lock);
}

size_t tunnel_book_list(struct tunnel_book *book, struct tunnel_book_key **ret_keys)
{
	struct tunnel_book_key *keys;
	size_t n = 0;

	uv_mutex_lock(&book->lock);
	keys = calloc(book->n ? book->n : 1, sizeof(*keys));
	for (unsigned i = 0; keys && i < TUNNEL_BOOK_BUCKETS; i++)
		for (const struct tunnel_book_line *line = book->by_key[i]; line;
		     line = line->next_by_key)
			memcpy(keys[n++].fingerprint, line->fingerprint, sizeof(line->fingerprint));
	uv_mutex_unlock(&book->lock);
	*ret_keys = keys;
	return n;
}

size_t tunnel_book_count(const struct tunnel_book *book)
{
	return book->n;
}

const char *tunnel_book_find(struct tunnel_book *book, const char *fingerprint)
{
	const struct tunnel_book_line *line;
	const char *name = NULL;

	uv_mutex_lock(&book->lock);
	line = *find_key(book, fingerprint);
	if (line)
		name = line->kex == SSH_KEX_NONE ? "unknown" : ssh_kex_name(line->kex);
	uv_mutex_unlock(&book->lock);
	return name;
}
