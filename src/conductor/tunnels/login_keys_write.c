/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/login_keys_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

int login_keys_by_port(const void *a, const void *b)
{
	return (int)((const struct registry_authorized_key *)a)->listen_port -
	       (int)((const struct registry_authorized_key *)b)->listen_port;
}

/* Under the turn: nobody else changes the table, so that reading it needs no lock. */
static int remove_key(struct login_keys *k, uint32_t place)
{
	struct authorized_key *larger;
	int rc = -ENOMEM;

	uv_mutex_lock(&k->lock);
	larger = realloc(k->removed, (k->n_removed + 1) * sizeof(*larger));
	if (larger) {
		k->removed = larger;
		k->removed[k->n_removed++] = key_table_at(k->table, place)->key;
		key_table_remove(k->table, place);
		rc = 0;
	}
	uv_mutex_unlock(&k->lock);
	return rc;
}

static struct authorized_key key_of(const struct registry_authorized_key *row)
{
	struct authorized_key key = {.listen_port = row->listen_port};

	memcpy(key.blob, row->ssh_key, sizeof(key.blob));
	return key;
}

static int add_key(struct login_keys *k, const struct registry_authorized_key *row)
{
	const struct authorized_key key = key_of(row);
	uint32_t place;

	uv_mutex_lock(&k->lock);
	place = key_table_add(k->table, &key, row->router);
	uv_mutex_unlock(&k->lock);
	return place == KEY_TABLE_NONE ? -ENOMEM : 0;
}

/* Does the entry stand in the news as it is? */
static bool stays(const struct registry_key_news *news, const struct key_entry *entry)
{
	const struct registry_authorized_key wanted = {.listen_port = entry->key.listen_port};
	const struct registry_authorized_key *row =
		news->n_keys > 0 ? bsearch(&wanted, news->keys, news->n_keys, sizeof(wanted),
					   login_keys_by_port)
				 : NULL;

	return row && memcmp(row->ssh_key, entry->key.blob, sizeof(row->ssh_key)) == 0 &&
	       strcmp(row->router, entry->router) == 0;
}

/* Lines that are written over. The file is opened with the first of them. */
struct changes {
	struct login_keys *keys;
	const struct registry_key_news *news;
	int fd; /* < 0 = not opened */
};

static int put_line(struct changes *c, uint32_t line, const struct authorized_key *key,
		    struct err *err)
{
	struct login_keys *k = c->keys;
	int rc = 0;

	if (c->fd < 0)
		rc = authorized_keys_open(k->options.path, key_table_n_places(k->table), &c->fd,
					  err);
	if (rc == 0)
		rc = authorized_keys_put(c->fd, line, key, k->options.repository_port, err);
	return rc;
}

/* The file is written first, so that a session that is then ended cannot come back. */
static int drop_if_gone(struct changes *c, uint32_t place, struct err *err)
{
	int rc;

	if (stays(c->news, key_table_at(c->keys->table, place)))
		return 0;
	rc = put_line(c, place, NULL, err);
	if (rc == 0 && remove_key(c->keys, place) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	return rc;
}

static int drop_of_router(struct changes *c, const char *router, struct err *err)
{
	const struct key_table *table = c->keys->table;
	uint32_t place = key_table_of_router(table, router, KEY_TABLE_NONE);
	int rc = 0;

	while (rc == 0 && place != KEY_TABLE_NONE) {
		uint32_t next = key_table_of_router(table, router, place);

		rc = drop_if_gone(c, place, err);
		place = next;
	}
	return rc;
}

static int drop_of_all(struct changes *c, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < key_table_n_places(c->keys->table); i++)
		if (key_table_at(c->keys->table, i)->key.listen_port > 0)
			rc = drop_if_gone(c, i, err);
	return rc;
}

static int add_if_new(struct changes *c, const struct registry_authorized_key *row, struct err *err)
{
	const struct authorized_key key = key_of(row);
	struct key_table *table = c->keys->table;
	uint32_t place = key_table_of_port(table, row->listen_port);
	int rc = 0;

	/* A router that is not in the news had the port: its row in the audit comes later. */
	if (place != KEY_TABLE_NONE)
		rc = drop_if_gone(c, place, err);
	if (rc < 0 || key_table_of_port(table, row->listen_port) != KEY_TABLE_NONE)
		return rc;
	rc = put_line(c, key_table_next_place(table), &key, err);
	if (rc == 0 && add_key(c->keys, row) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	return rc;
}

int login_keys_write_changes(struct login_keys *k, const struct registry_key_news *news,
			     struct err *err)
{
	struct changes c = {.keys = k, .news = news, .fd = -1};
	int rc = news->all ? drop_of_all(&c, err) : 0;

	for (size_t i = 0; rc == 0 && i < news->n_routers; i++)
		rc = drop_of_router(&c, news->routers[i], err);
	for (size_t i = 0; rc == 0 && i < news->n_keys; i++)
		rc = add_if_new(&c, &news->keys[i], err);
	if (c.fd >= 0) {
		int finished = authorized_keys_finish(c.fd, rc == 0, rc == 0 ? err : NULL);

		rc = rc < 0 ? rc : finished;
	}
	k->is_written = rc == 0;
	return rc;
}

/* The ports are those of a database that others can write. */
static int fill_table(struct key_table *table, const struct registry_key_news *news,
		      struct authorized_key *keys, struct err *err)
{
	for (size_t i = 0; i < news->n_keys; i++) {
		const struct registry_authorized_key *row = &news->keys[i];

		keys[i] = key_of(row);
		if (row->listen_port == 0 ||
		    key_table_of_port(table, row->listen_port) != KEY_TABLE_NONE)
			return err_set(err, -EINVAL,
				       "%s of %s has port %u: expected one of its own", row->node,
				       row->router, row->listen_port);
		if (key_table_add(table, &keys[i], row->router) == KEY_TABLE_NONE)
			return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* Takes the place of the table that there was. */
static int replace_table(struct login_keys *k, struct key_table *table,
			 const struct registry_key_news *news)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < key_table_n_places(k->table); i++) {
		const struct key_entry *entry = key_table_at(k->table, i);

		if (entry->key.listen_port > 0 && !stays(news, entry))
			rc = remove_key(k, i);
	}
	if (rc < 0)
		return rc;
	uv_mutex_lock(&k->lock);
	key_table_free(k->table);
	k->table = table;
	uv_mutex_unlock(&k->lock);
	return 0;
}

int login_keys_write_all(struct login_keys *k, const struct registry_key_news *news,
			 struct err *err)
{
	struct authorized_key *keys = calloc(news->n_keys + 1, sizeof(*keys));
	struct key_table *table = key_table_new();
	int rc = keys && table ? fill_table(table, news, keys, err)
			       : err_set(err, -ENOMEM, "out of memory");

	if (rc == 0)
		rc = authorized_keys_write(k->options.path, keys, news->n_keys,
					   k->options.repository_port, err);
	if (rc == 0 && replace_table(k, table, news) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc < 0)
		key_table_free(table);
	k->is_written = rc == 0;
	free(keys);
	return rc;
}
