/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/conductor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "conductord/check.h"
#include "conductord/openapi_conductor.h"
#include "conductord/own_keys.h"
#include "conductord/reload.h"
#include "conductord/room.h"
#include "conductord/routes.h"
#include "node/routes.h"

/* A router has up to four connections to its conductor, each a descriptor, and one more of the
 * image while it is sent: of the 65,536 of conductord.service they leave half. One that came after
 * the last would wait for a minute of silence on another. */
#define REPOSITORY_CONNECTIONS_MAX 16384

struct conductor *conductor_of(struct node *n)
{
	return container_of(n, struct conductor, node);
}

void conductor_keys_changed(struct conductor *c)
{
	login_keys_look(&c->keys);
}

void conductor_list_changed(struct conductor *c)
{
	list_news_look(&c->list_news);
}

/* The keys that may log in. */

static void on_key_gone(void *owner, const uint8_t blob[SSH_KEY_ED25519_SIZE])
{
	struct conductor *c = owner;

	if (tunnels_end_key(&c->tunnels, blob) < 0)
		log_event(LOG_TUNNELS_LOST, &(struct log_fields){.reason = "out of memory"},
			  "the sessions of a key that may log in no more could not be ended: out "
			  "of memory; end them by restarting steward-tunnels.service");
}

static bool is_shared(const struct config *config)
{
	return strncmp(config->conductor.registry, "postgres", 8) == 0;
}

static void start_keys(struct conductor *c)
{
	const struct config *config = c->config;
	const struct login_keys_options options = {
		.loop = &c->node.loop,
		.pool = c->registry_pool,
		.registry = c->registry,
		.path = c->keys_path,
		.repository_port = REPOSITORY_PORT,
		.shared = is_shared(config),
		.gone = on_key_gone,
		.owner = c,
	};

	login_keys_init(&c->keys, &options);
	c->has_keys = true;
}

/* Onboarding. */

static void on_ssh(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	struct conductor *c = owner;
	uint16_t seconds = (uint16_t)c->config->conductor.limits.ssh_timeout_s;

	(void)peer;
	if (tunnels_session(&c->tunnels, ticket, fd, seconds) < 0)
		enrolment_ssh_finished(c->enrolment, ticket);
}

static bool ssh_has_room(void *owner)
{
	const struct conductor *c = owner;

	return tunnels_has_room(&c->tunnels);
}

static void on_ssh_show_out(void *owner, turns_ticket ticket)
{
	struct conductor *c = owner;

	tunnels_end_session(&c->tunnels, ticket);
}

static int sync_keys(void *owner, struct err *err)
{
	struct conductor *c = owner;

	return login_keys_sync(&c->keys, err);
}

static int start_enrolment(struct conductor *c, struct err *err)
{
	const struct enrolment_options options = {
		.loop = &c->node.loop,
		.pool = c->registry_pool,
		.registry = c->registry,
		.config = &c->config->conductor,
		.repository_port = REPOSITORY_PORT,
		.ssh = on_ssh,
		.known = c->known.addresses,
		.ssh_show_out = on_ssh_show_out,
		.ssh_has_room = ssh_has_room,
		.sync_keys = sync_keys,
		.owner = c,
	};

	return enrolment_start(&c->enrolment, &options, err);
}

/* Start. */

static void on_registry_asked(void *owner)
{
	struct conductor *c = owner;

	registry_watch_look(&c->registry_watch);
}

static int provide_own_keys(struct conductor *c, struct err *err)
{
	char *path;
	int rc;

	if (asprintf(&path, "%s/sealing-keys", c->node.config->state_directory) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	rc = own_keys_provide(path, &c->own_keys, err);
	free(path);
	return rc;
}

static int open_registry(struct conductor *c, struct err *err)
{
	int rc = config_load(&c->config, c->node.config_path, CONFIG_CONDUCTOR, err);

	if (rc == 0)
		rc = provide_own_keys(c, err);
	if (rc == 0)
		rc = registry_open(&c->registry, c->config->conductor.registry, c->config->name,
				   err);
	if (rc == 0)
		rc = work_pool_open(&c->registry_pool, &c->node.loop, on_registry_asked, c, err);
	return rc;
}

static void on_registry_answers_again(void *owner)
{
	struct conductor *c = owner;

	if (c->has_keys)
		login_keys_look(&c->keys);
	summary_watch_take(&c->summaries);
}

/* A summary that was made before may say that no conductor is registered, so it is made again. */
static void on_registered_late(void *owner)
{
	struct conductor *c = owner;

	summary_watch_take(&c->summaries);
}

static void on_registered(void *owner)
{
	conductor_list_changed(owner);
}

static void on_list_news(void *owner, const char *fingerprint)
{
	const struct conductor *c = owner;

	if (c->provisioning)
		provisioning_of_key(c->provisioning, fingerprint, false);
}

/* Makes the parts that only wait for now. If the registry could not be opened, they are never
 * started. */
static void init_waiting_parts(struct conductor *c)
{
	const struct registry_watch_options registry_watch = {
		.node = &c->node,
		.pool = c->registry_pool,
		.registry = c->registry,
		.answers_again = on_registry_answers_again,
		.owner = c,
	};
	const struct registration_options registration = {
		.node = &c->node,
		.pool = c->registry_pool,
		.registry = c->registry,
		.own_keys = &c->own_keys,
		.config = c->config,
		.was_late = on_registered_late,
		.done = on_registered,
		.owner = c,
	};
	const struct summary_watch_options summaries = {
		.node = &c->node,
		.pool = c->registry_pool,
		.registry = c->registry,
		.config = c->config,
		.registration = &c->registration,
	};
	const struct list_news_options list_news = {
		.node = &c->node,
		.pool = c->registry_pool,
		.registry = c->registry,
		.shared = c->config && is_shared(c->config),
		.book = &c->tunnel_book,
		.visit = on_list_news,
		.owner = c,
	};

	const struct rollouts_options rollouts = {
		.node = &c->node,
		.pool = c->registry_pool,
		.registry = c->registry,
		.book = &c->tunnel_book,
		.calls = &c->calls,
		.conductor = c->config ? c->config->name : "",
	};

	tunnel_book_init(&c->tunnel_book);
	registry_watch_init(&c->registry_watch, &registry_watch);
	registration_init(&c->registration, &registration);
	summary_watch_init(&c->summaries, &summaries);
	list_news_init(&c->list_news, &list_news);
	rollouts_init(&c->rollouts, &rollouts);
	fetching_init(&c->fetching, &c->node);
	c->calls = (struct router_calls){.node = &c->node, .tunnels = &c->tunnels};
}

static int start_provisioning(struct conductor *c, struct err *err)
{
	const struct visit_parts parts = {
		.loop = &c->node.loop,
		.pool = c->registry_pool,
		.registry = c->registry,
		.own_keys = &c->own_keys,
		.keys = &c->keys,
		.calls = &c->calls,
		.repository_port = REPOSITORY_PORT,
	};

	c->provisioning = provisioning_new(&parts);
	return c->provisioning ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int start_known(struct conductor *c, struct err *err)
{
	int rc = known_routers_init(&c->known, &c->node.loop, c->known_path, err);

	c->has_known = rc == 0;
	return rc;
}

static int start_conductor(struct node *n, struct err *err)
{
	struct conductor *c = conductor_of(n);
	int rc = open_registry(c, err);

	init_waiting_parts(c);
	c->was_started = true;
	if (rc < 0)
		return rc;
	summary_watch_start(&c->summaries);
	rc = conductor_start_tunnels(c, err);
	if (rc == 0)
		rc = start_provisioning(c, err);
	if (rc < 0)
		return rc;
	start_keys(c);
	rollouts_start(&c->rollouts);
	rc = start_known(c, err);
	return rc < 0 ? rc : start_enrolment(c, err);
}

/* What the node asks. */

static int make_room(struct node *n, const struct download *download, uint64_t size,
		     struct image_names *ret_going, struct err *err)
{
	return room_make(n, &conductor_of(n)->rollouts, download, size, ret_going, err);
}

static bool serve_index(struct http_exchange *x)
{
	struct conductor *c = conductor_of(http_exchange_owner(x));

	return fetching_serve_index(&c->fetching, x);
}

static bool serve_file(struct http_exchange *x)
{
	struct conductor *c = conductor_of(http_exchange_owner(x));

	return fetching_serve_file(&c->fetching, x);
}

static int check_reload(const struct node *n, const struct config *new, struct err *err)
{
	return conductor_check_reload(container_of(n, const struct conductor, node)->config, new,
				      err);
}

static int renew(struct node *n, struct err *err)
{
	struct conductor *c = container_of(n, struct conductor, node);

	return c->enrolment ? enrolment_renew(c->enrolment, err) : 0;
}

static void add_status(const struct node *n, cJSON *json)
{
	const struct conductor *c = container_of(n, const struct conductor, node);

	(void)cJSON_AddItemToObject(json, "secure-conductor-onboarding",
				    summary_to_json(&c->summaries.summary, c));
}

static void write_metrics(const struct node *n, FILE *out)
{
	const struct conductor *c = container_of(n, const struct conductor, node);

	summary_write_metrics(&c->summaries.summary, c, out);
	rollout_news_write_metrics(&c->rollouts.news, out);
}

const struct node_program conductor_program = {
	.name = "conductord",
	.role = CONFIG_CONDUCTOR,
	.tells_imported_apart = true,
	.shared_connections_max = REPOSITORY_CONNECTIONS_MAX,
	.serve_index = serve_index,
	.serve_file = serve_file,
	.make_room = make_room,
	.routes = conductor_routes,
	.n_routes = N_CONDUCTOR_ROUTES,
	.openapi = openapi_conductor,
	.check = conductor_check,
	.start = start_conductor,
	.stopping = conductor_stop,
	.close = conductor_close,
	.check_reload = check_reload,
	.renew = renew,
	.add_status = add_status,
	.write_metrics = write_metrics,
};
