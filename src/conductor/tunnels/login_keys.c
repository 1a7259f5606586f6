/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/login_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "conductor/registry/registry_enrolment.h"

static bool is_same(const struct authorized_key *a, const struct authorized_key *b)
{
	return a->listen_port == b->listen_port && memcmp(a->blob, b->blob, sizeof(a->blob)) == 0;
}

/* Both lists are ordered by port. */
static bool are_same(const struct login_keys *k, const struct authorized_key *keys, size_t n)
{
	return k->was_written && k->n_written == n &&
	       (n == 0 || memcmp(k->written, keys, n * sizeof(*keys)) == 0);
}

static int note_removed(struct login_keys *k, const struct authorized_key *key)
{
	struct authorized_key *larger = realloc(k->removed, (k->n_removed + 1) * sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	k->removed = larger;
	k->removed[k->n_removed++] = *key;
	return 0;
}

/* Walks through both lists at once: finds whose key is gone, and copies what is known already of
 * the keys that stay, since usually one among thousands is new. */
static int compare(struct login_keys *k, const struct authorized_key *now, size_t n,
		   struct login_keys_fingerprint *fingerprints)
{
	size_t was = 0;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		while (rc == 0 && was < k->n_written &&
		       k->written[was].listen_port < now[i].listen_port)
			rc = note_removed(k, &k->written[was++]);
		if (was < k->n_written && is_same(&k->written[was], &now[i]))
			fingerprints[i] = k->fingerprints[was++];
		else
			authorized_key_fingerprint(now[i].blob, fingerprints[i].text);
	}
	while (rc == 0 && was < k->n_written)
		rc = note_removed(k, &k->written[was++]);
	return rc;
}

static int read_keys(struct login_keys *k, struct authorized_key **ret, size_t *ret_n,
		     struct err *err)
{
	struct registry_authorized_key *rows = NULL;
	struct authorized_key *keys;
	size_t n = 0;
	int rc = registry_authorized_keys(k->options.registry, &rows, &n, err);

	if (rc < 0)
		return rc;
	keys = calloc(n + 1, sizeof(*keys));
	for (size_t i = 0; keys && i < n; i++) {
		memcpy(keys[i].blob, rows[i].ssh_key, sizeof(keys[i].blob));
		keys[i].listen_port = rows[i].listen_port;
	}
	free(rows);
	*ret = keys;
	*ret_n = n;
	return keys ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* Called by one thread at a time. The file is written first, so that a session that is then ended
 * cannot come back. */
static int write_keys(struct login_keys *k, struct authorized_key *keys, size_t n, struct err *err)
{
	struct login_keys_fingerprint *fingerprints = calloc(n + 1, sizeof(*fingerprints));
	int rc = fingerprints ? 0 : err_set(err, -ENOMEM, "out of memory");

	if (rc == 0)
		rc = authorized_keys_write(k->options.path, keys, n, k->options.repository_port,
					   err);
	uv_mutex_lock(&k->lock);
	if (rc == 0 && compare(k, keys, n, fingerprints) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		uv_mutex_unlock(&k->lock);
		free(fingerprints);
		free(keys);
		return rc;
	}
	free(k->written);
	free(k->fingerprints);
	k->written = keys;
	k->fingerprints = fingerprints;
	k->n_written = n;
	k->was_written = true;
	uv_mutex_unlock(&k->lock);
	(void)uv_async_send(&k->wake);
	return 0;
}

int login_keys_sync(struct login_keys *k, struct err *err)
{
	struct authorized_key *keys = NULL;
	size_t n;
	int rc;

	/* One thread at a time, so that none writes keys that it has read before another wrote
	 * newer ones. This is not the other lock, for which the loop waits too. */
	uv_mutex_lock(&k->turn);
	rc = read_keys(k, &keys, &n, err);
	if (rc == 0 && are_same(k, keys, n))
		free(keys);
	else if (rc == 0)
		rc = write_keys(k, keys, n, err);
	uv_mutex_unlock(&k->turn);
	return rc;
}

static uint16_t port_of(struct login_keys *k, const char *fingerprint)
{
	uint16_t port = 0;

	uv_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->n_written && port == 0; i++)
		if (strcmp(k->fingerprints[i].text, fingerprint) == 0)
			port = k->written[i].listen_port;
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
	(void)login_keys_sync(k, &k->err);
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
	free(k->written);
	free(k->fingerprints);
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
