/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/login_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "conductor/tunnels/login_keys_write.h"

/* Under the turn. */
static int update(struct login_keys *k, struct err *err)
{
	struct registry_key_news news = {0};
	int rc;

	if (!k->is_written)
		k->marks.n = 0;
	rc = registry_key_news_read(k->options.registry, &k->marks, &news, err);
	if (rc < 0)
		return rc;
	if (news.n_keys > 1)
		qsort(news.keys, news.n_keys, sizeof(*news.keys), login_keys_by_port);
	rc = k->is_written ? login_keys_write_changes(k, &news, err)
			   : login_keys_write_all(k, &news, err);
	registry_key_news_release(&news);
	(void)uv_async_send(&k->wake);
	return rc;
}

static int sync_keys(struct login_keys *k, bool all, struct err *err)
{
	bool was_written;
	int rc;

	/* One thread at a time, so that none writes keys that it has read before another wrote
	 * newer ones. This is not the other lock, for which the loop waits too. */
	uv_mutex_lock(&k->turn);
	if (all)
		k->marks.n = 0;
	was_written = k->is_written;
	rc = update(k, err);
	/* Somebody may have removed the file, or written into it. */
	if (rc < 0 && was_written && !k->is_written)
		rc = update(k, err);
	uv_mutex_unlock(&k->turn);
	return rc;
}

int login_keys_sync(struct login_keys *k, struct err *err)
{
	return sync_keys(k, false, err);
}

static uint16_t port_of(struct login_keys *k, const char *fingerprint)
{
	uint16_t port = 0;
	uint32_t place;

	uv_mutex_lock(&k->lock);
	place = key_table_of_fingerprint(k->table, fingerprint);
	if (place != KEY_TABLE_NONE)
		port = key_table_at(k->table, place)->key.listen_port;
	uv_mutex_unlock(&k->lock);
	return port;
}

/* Also finds keys of a file that an earlier conductord wrote, because sshd may have read that. */
int login_keys_find(struct login_keys *k, const char *fingerprint, uint16_t *ret_port,
		    struct err *err)
{
	uint16_t port = port_of(k, fingerprint);
	int rc = port ? 0 : login_keys_sync(k, err);

	if (rc == 0)
		*ret_port = port ? port : port_of(k, fingerprint);
	return rc;
}

static void on_wake(uv_async_t *async)
{
	struct login_keys *k = container_of(async, struct login_keys, wake);
	struct authorized_key *removed;
	size_t n;

	uv_mutex_lock(&k->lock);
	removed = k->removed;
	n = k->n_removed;
	k->removed = NULL;
	k->n_removed = 0;
	uv_mutex_unlock(&k->lock);
	for (size_t i = 0; i < n && !k->closing; i++)
		k->options.gone(k->options.owner, removed[i].blob);
	free(removed);
}

static void sync_on_worker(struct work *work)
{
	struct login_keys *k = container_of(work, struct login_keys, work);

	memset(&k->err, 0, sizeof(k->err));
	(void)sync_keys(k, k->options.shared && k->looks++ % LOGIN_KEYS_ALL_LOOKS == 0, &k->err);
}

static void close_handles(struct login_keys *k);
static void on_timer(uv_timer_t *timer);

static void on_looked(struct work *work)
{
	struct login_keys *k = container_of(work, struct login_keys, work);

	k->looking = false;
	if (k->err.code < 0 && strcmp(k->problem, k->err.text) != 0)
		log_event(LOG_REGISTRY_PROBLEM, &(struct log_fields){.reason = k->err.text},
			  "who may log in is not known: %s", k->err.text);
	(void)snprintf(k->problem, sizeof(k->problem), "%s", k->err.code < 0 ? k->err.text : "");
	if (k->closing)
		close_handles(k);
	else if (k->look_again)
		login_keys_look(k);
	else if (k->err.code < 0 && !k->options.shared)
		(void)uv_timer_start(&k->timer, on_timer, LOGIN_KEYS_LOOK_MS, 0);
}

void login_keys_look(struct login_keys *k)
{
	if (k->closing)
		return;
	k->look_again = k->looking;
	if (k->looking)
		return;
	k->looking = true;
	work_pool_submit(k->options.pool, k->options.loop, &k->work, sync_on_worker, on_looked);
}

static void on_timer(uv_timer_t *timer)
{
	login_keys_look(container_of(timer, struct login_keys, timer));
}

void login_keys_init(struct login_keys *k, const struct login_keys_options *options)
{
	memset(k, 0, sizeof(*k));
	k->options = *options;
	(void)uv_mutex_init(&k->lock);
	(void)uv_mutex_init(&k->turn);
	(void)uv_async_init(options->loop, &k->wake, on_wake);
	(void)uv_timer_init(options->loop, &k->timer);
	k->handles = 2;
	if (options->shared)
		(void)uv_timer_start(&k->timer, on_timer, LOGIN_KEYS_LOOK_MS, LOGIN_KEYS_LOOK_MS);
	login_keys_look(k);
}

static void handle_closed(struct login_keys *k)
{
	if (--k->handles > 0)
		return;
	uv_mutex_destroy(&k->turn);
	uv_mutex_destroy(&k->lock);
	key_table_free(k->table);
	free(k->removed);
	k->closed(k->closed_owner);
}

static void on_wake_closed(uv_handle_t *handle)
{
	handle_closed(container_of((uv_async_t *)handle, struct login_keys, wake));
}

static void on_timer_closed(uv_handle_t *handle)
{
	handle_closed(container_of((uv_timer_t *)handle, struct login_keys, timer));
}

static void close_handles(struct login_keys *k)
{
	uv_close((uv_handle_t *)&k->wake, on_wake_closed);
	uv_close((uv_handle_t *)&k->timer, on_timer_closed);
}

void login_keys_close(struct login_keys *k, void (*closed)(void *owner), void *owner)
{
	k->closing = true;
	k->closed = closed;
	k->closed_owner = owner;
	if (!k->looking)
		close_handles(k);
}
