/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registration.h - registers the conductor in its own registry: from then on routers are told of
 * it, and secrets that wait are sealed to it too. Secrets that an older version has left readable
 * in the registry are sealed.
 *
 * If the registry does not answer, it is asked again every two seconds, since no router can be
 * enrolled before the first registration. The reason is logged once, and again when it changes.
 *
 * Calling sequence: registration_init -> registration_run ... -> registration_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "base/work.h"
#include "conductor/registry/registry_conductors.h"
#include "conductor/tunnels/host_key.h"

struct config;
struct node;
struct registry;
struct sealing_keys;
struct work_pool;

struct registration_options {
	struct node *node; /* waits for a registration that is running */
	struct work_pool *pool;
	struct registry *registry;
	const struct sealing_keys *own_keys;
	const struct config *config;
	void (*was_late)(void *owner); /* it has succeeded, after failures */
	void (*done)(void *owner);     /* it has succeeded; may be NULL */
	void *owner;
};

struct registration {
	struct registration_options options;
	struct host_keys host_keys; /* of sshd at this conductor */
	struct work work;
	uv_mutex_t lock;
	struct registry_conductor self; /* as it is registered; "" = not yet. Under the lock */
	bool is_running;
	bool is_stale; /* another host key came while one was being registered: register again */
	char problem[ERR_TEXT_SIZE]; /* told of last; "" = none */
	uv_timer_t again;
	/* The worker's while it runs. */
	struct host_keys keys;
	size_t n_sealed; /* routers whose secrets were readable */
	struct err err;
	void (*closed)(void *owner);
	void *owner;
};

void registration_init(struct registration *r, const struct registration_options *options);

/* Register with these host keys. */
void registration_run(struct registration *r, const struct host_keys *host_keys);

/* As it is registered. On any thread. false = not yet. */
bool registration_self(struct registration *r, struct registry_conductor *ret);

/* The node waits for a job that is running. */
void registration_close(struct registration *r, void (*closed)(void *owner), void *owner);
