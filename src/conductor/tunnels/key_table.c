/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/key_table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define BUCKETS         16384u /* a power of two; of 55,536 nodes three or four share one */
#define PLACES_AT_FIRST 64u
#define PORTS           65536u

struct key_table {
	struct key_entry *places;
	size_t n;
	size_t room;
	uint32_t free; /* the first of those that were left */
	uint32_t of_port[PORTS];
	uint32_t prints[BUCKETS];
	uint32_t routers[BUCKETS];
};

/* FNV-1a. Nobody gains by names that share a bucket: operators give them; a fingerprint is a
 * digest. */
static uint32_t bucket_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return (hash ^ hash >> 16) & (BUCKETS - 1);
}

struct key_table *key_table_new(void)
{
	struct key_table *t = malloc(sizeof(*t));

	if (!t)
		return NULL;
	t->places = NULL;
	t->n = t->room = 0;
	t->free = KEY_TABLE_NONE;
	memset(t->of_port, 0xff, sizeof(t->of_port));
	memset(t->prints, 0xff, sizeof(t->prints));
	memset(t->routers, 0xff, sizeof(t->routers));
	return t;
}

void key_table_free(struct key_table *t)
{
	if (!t)
		return;
	free(t->places);
	free(t);
}

size_t key_table_n_places(const struct key_table *t)
{
	return t ? t->n : 0;
}

const struct key_entry *key_table_at(const struct key_table *t, uint32_t place)
{
	assert(place < t->n);
	return &t->places[place];
}

uint32_t key_table_of_port(const struct key_table *t, uint16_t port)
{
	return t->of_port[port];
}

uint32_t key_table_of_fingerprint(const struct key_table *t, const char *fingerprint)
{
	uint32_t place = t ? t->prints[bucket_of(fingerprint)] : KEY_TABLE_NONE;

	while (place != KEY_TABLE_NONE && strcmp(t->places[place].fingerprint, fingerprint) != 0)
		place = t->places[place].next_print;
	return place;
}

uint32_t key_table_of_router(const struct key_table *t, const char *router, uint32_t after)
{
	uint32_t place = after == KEY_TABLE_NONE ? t->routers[bucket_of(router)]
						 : t->places[after].next_router;

	while (place != KEY_TABLE_NONE && strcmp(t->places[place].router, router) != 0)
		place = t->places[place].next_router;
	return place;
}

uint32_t key_table_next_place(const struct key_table *t)
{
	return t->free != KEY_TABLE_NONE ? t->free : (uint32_t)t->n;
}

static bool make_room(struct key_table *t)
{
	size_t more = t->room > 0 ? 2 * t->room : PLACES_AT_FIRST;
	struct key_entry *larger;

	if (t->free != KEY_TABLE_NONE || t->n < t->room)
		return true;
	larger = reallocarray(t->places, more, sizeof(*larger));
	if (!larger)
		return false;
	t->places = larger;
	t->room = more;
	return true;
}

static uint32_t take_place(struct key_table *t)
{
	uint32_t place = t->free;

	if (place == KEY_TABLE_NONE)
		return (uint32_t)t->n++;
	t->free = t->places[place].next_print;
	return place;
}

uint32_t key_table_add(struct key_table *t, const struct authorized_key *key, const char *router)
{
	struct key_entry *entry;
	uint32_t *print;
	uint32_t *name;
	uint32_t place;

	assert(key->listen_port > 0 && t->of_port[key->listen_port] == KEY_TABLE_NONE);
	if (!make_room(t))
		return KEY_TABLE_NONE;
	place = take_place(t);
	entry = &t->places[place];
	entry->key = *key;
	authorized_key_fingerprint(key->blob, entry->fingerprint);
	(void)snprintf(entry->router, sizeof(entry->router), "%s", router);
	print = &t->prints[bucket_of(entry->fingerprint)];
	name = &t->routers[bucket_of(entry->router)];
	entry->next_print = *print;
	entry->next_router = *name;
	*print = *name = t->of_port[key->listen_port] = place;
	return place;
}

void key_table_remove(struct key_table *t, uint32_t place)
{
	struct key_entry *entry = &t->places[place];
	uint32_t *print = &t->prints[bucket_of(entry->fingerprint)];
	uint32_t *name = &t->routers[bucket_of(entry->router)];

	assert(place < t->n && entry->key.listen_port > 0);
	while (*print != place)
		print = &t->places[*print].next_print;
	while (*name != place)
		name = &t->places[*name].next_router;
	*print = entry->next_print;
	*name = entry->next_router;
	t->of_port[entry->key.listen_port] = KEY_TABLE_NONE;
	*entry = (struct key_entry){.next_print = t->free, .next_router = KEY_TABLE_NONE};
	t->free = place;
}
