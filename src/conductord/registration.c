/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/registration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "base/work_pool.h"
#include "conductor/registry/registry_conductors.h"
#include "conductor/registry/registry_secrets_store.h"
#include "conductord/router_secrets.h"
#include "config/config.h"
#include "node/node.h"

#define AGAIN_MS 2000

void registration_init(struct registration *r, const struct registration_options *options)
{
	r->options = *options;
	(void)uv_mutex_init(&r->lock);
	(void)uv_timer_init(&options->node->loop, &r->again);
}

static int ready_secrets(struct registration *r, struct err *err)
{
	const struct registration_options *options = &r->options;
	const struct registry_origin origin = {.address = "upgrade", .time_s = time(NULL)};
	int rc = registry_secrets_put_conductor(options->registry, options->own_keys, err);

	r->n_sealed = 0;
	if (rc < 0)
		return rc;
	return router_secrets_take_over(options->registry, NULL, options->own_keys, &origin,
					&r->n_sealed, err);
}

static void add_key(const uint8_t key[SSH_KEY_ED25519_SIZE], char ret[REGISTRY_HOST_KEYS_SIZE])
{
	char text[BASE64_LENGTH(SSH_KEY_ED25519_SIZE) + 1];
	const size_t used = strlen(ret);

	base64_write(span_of(key, SSH_KEY_ED25519_SIZE), text);
	(void)snprintf(ret + used, REGISTRY_HOST_KEYS_SIZE - used, "%s\n", text);
}

static void write_keys(const struct host_keys *keys, char ret[REGISTRY_HOST_KEYS_SIZE])
{
	ret[0] = '\0';
	add_key(keys->now, ret);
	if (keys->has_next == 1)
		add_key(keys->next, ret);
}

static void write_registration(struct work *work)
{
	struct registration *r = container_of(work, struct registration, work);
	const struct config *config = r->options.config;
	struct registry_conductor self = {.port = config->conductor.port, .seen_s = time(NULL)};

	(void)snprintf(self.name, sizeof(self.name), "%s", config->name);
	(void)snprintf(self.host, sizeof(self.host), "%s", config->conductor.address);
	write_keys(&r->keys, self.ssh_host_keys);
	memset(&r->err, 0, sizeof(r->err));
	if (ready_secrets(r, &r->err) < 0 ||
	    registry_conductor_register(r->options.registry, &self, &r->err) < 0)
		return;
	uv_mutex_lock(&r->lock);
	r->self = self;
	uv_mutex_unlock(&r->lock);
}

bool registration_self(struct registration *r, struct registry_conductor *ret)
{
	bool is_registered;

	uv_mutex_lock(&r->lock);
	is_registered = r->self.name[0];
	if (is_registered)
		*ret = r->self;
	uv_mutex_unlock(&r->lock);
	return is_registered;
}

static void register_now(struct registration *r);

static void on_again(uv_timer_t *timer)
{
	register_now(container_of(timer, struct registration, again));
}

static void tell_problem(struct registration *r)
{
	if (strcmp(r->problem, r->err.text) != 0)
		log_event(LOG_REGISTRY_PROBLEM, &(struct log_fields){.reason = r->err.text},
			  "this conductor is not registered yet: %s", r->err.text);
	(void)snprintf(r->problem, sizeof(r->problem), "%s", r->err.text);
}

static void registered(struct registration *r)
{
	const bool was_late = r->problem[0] != '\0';

	r->problem[0] = '\0';
	if (r->n_sealed > 0)
		log_event(LOG_SECRETS_SEALED, NULL,
			  "secrets of %zu routers that were readable in the registry are sealed",
			  r->n_sealed);
	if (r->options.done)
		r->options.done(r->options.owner);
	if (was_late)
		r->options.was_late(r->options.owner);
}

static void on_registered(struct work *work)
{
	struct registration *r = container_of(work, struct registration, work);

	r->is_running = false;
	if (r->err.code < 0)
		tell_problem(r);
	else
		registered(r);
	if (r->is_stale)
		register_now(r);
	else if (r->err.code < 0 && !r->closed)
		(void)uv_timer_start(&r->again, on_again, AGAIN_MS, 0);
	node_job_ends(r->options.node);
}

static void register_now(struct registration *r)
{
	struct node *n = r->options.node;

	r->is_stale = r->is_running;
	if (r->is_running || n->stopping)
		return;
	r->is_running = true;
	r->keys = r->host_keys;
	node_job_begins(n);
	work_pool_submit(r->options.pool, &n->loop, &r->work, write_registration, on_registered);
}

void registration_run(struct registration *r, const struct host_keys *host_keys)
{
	r->host_keys = *host_keys;
	register_now(r);
}

static void on_closed(uv_handle_t *handle)
{
	struct registration *r = container_of((uv_timer_t *)handle, struct registration, again);

	uv_mutex_destroy(&r->lock);
	r->closed(r->owner);
}

void registration_close(struct registration *r, void (*closed)(void *owner), void *owner)
{
	r->closed = closed;
	r->owner = owner;
	uv_close((uv_handle_t *)&r->again, on_closed);
}
