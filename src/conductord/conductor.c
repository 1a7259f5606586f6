#include "conductord/conductor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "conductor/tunnels/tunnel_host.h"
#include "conductord/check.h"
#include "conductord/last_resort.h"
#include "conductord/old_ports.h"
#include "conductord/reload.h"
#include "conductord/router_call.h"
#include "conductord/routes.h"
#include "node/routes.h"

#define CLOCK_MS 60000
#define END_MS   4500 /* from SIGTERM on: then it ends whatever hangs */

struct conductor *conductor_of(struct node *n)
{
	return container_of(n, struct conductor, node);
}

void conductor_keys_changed(struct conductor *c)
{
	login_keys_look(&c->keys);
}

/* The tunnels, and the repository at their end. */

static void on_repository_closed(void *owner)
{
	(void)owner;
}

static void on_listening(struct tunnels_request *request, int fd)
{
	struct conductor *c = container_of(request, struct conductor, listening);
	struct http_listener listener = routes_shared_listener(&c->node);
	struct err err;

	if (fd < 0)
		return; /* the helper went away: ready comes again */
	if (c->closing > 0) {
		(void)close(fd);
		return;
	}
	/* All come from sshd: how many a router may have is the matter of its session. */
	listener.counted = HTTP_TOGETHER;
	if (http_server_listen_fd(&c->repository, &c->node.loop, &listener, fd, &err) < 0) {
		log_event(LOG_TUNNELS_LOST, &(struct log_fields){.reason = err.text},
			  "the repository cannot be served in the tunnels: %s", err.text);
		(void)close(fd);
	}
}

static void on_tunnels_ready(void *owner, const uint8_t host_key[SSH_KEY_ED25519_SIZE])
{
	struct conductor *c = owner;

	registration_run(&c->registration, host_key);
	if (c->enrolment)
		enrolment_ssh_ready(c->enrolment);
	tunnels_listen(&c->tunnels, &c->listening, REPOSITORY_PORT, on_listening);
}

static void on_tunnels_lost(void *owner, const char *reason)
{
	struct conductor *c = owner;

	(void)reason; /* tunnels has told */
	if (c->enrolment)
		enrolment_ssh_lost(c->enrolment);
	if (c->repository)
		http_server_close(c->repository, on_repository_closed, c);
	c->repository = NULL;
}

static void on_authenticated(void *owner, uint32_t id, const char *fingerprint)
{
	struct conductor *c = owner;

	if (c->enrolment && enrolment_ssh_authenticated(c->enrolment, id))
		known_routers_news(&c->known);
	if (c->visits)
		provisioning_of_key(c->visits, fingerprint);
}

static void on_session_ended(void *owner, uint32_t id)
{
	struct conductor *c = owner;

	if (c->enrolment)
		enrolment_ssh_finished(c->enrolment, id);
}

static void on_key_gone(void *owner, const uint8_t blob[SSH_KEY_ED25519_SIZE])
{
	struct conductor *c = owner;

	if (tunnels_end_key(&c->tunnels, blob) < 0)
		log_event(LOG_TUNNELS_LOST, &(struct log_fields){.reason = "out of memory"},
			  "the sessions of a key that may log in no more could not be ended: out "
			  "of memory; end them by restarting steward-tunnels.service");
}

/* systemd's helper where there is its socket; else one of our own, in our state directory. */
static int start_tunnels(struct conductor *c, struct err *err)
{
	static const char *argv[8];
	struct tunnels_options options = {
		.ready = on_tunnels_ready,
		.lost = on_tunnels_lost,
		.authenticated = on_authenticated,
		.ended = on_session_ended,
		.owner = c,
	};

	if (asprintf(&c->tunnels_directory, "%s/tunnels", c->node.config->state_directory) < 0 ||
	    asprintf(&c->keys_path, "%s/authorized_keys", c->node.config->state_directory) < 0 ||
	    asprintf(&c->known_path, "%s/known_routers", c->node.config->state_directory) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (access(TUNNEL_HOST_SOCKET, F_OK) == 0) {
		options.socket = TUNNEL_HOST_SOCKET;
	} else {
		argv[0] = "/proc/self/exe";
		argv[1] = "--tunnels";
		argv[2] = "--tunnels-directory";
		argv[3] = c->tunnels_directory;
		argv[4] = "--authorized-keys";
		argv[5] = c->keys_path;
		options.argv = argv;
	}
	tunnels_start(&c->tunnels, &c->node.loop, &options);
	c->has_tunnels = true;
	return 0;
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
		.shared = strncmp(config->conductor.registry, "postgres", 8) == 0,
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

static int start_sco(struct conductor *c, struct err *err)
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

/* The clock: each minute what it shows is remembered, and whether it was set back. With it comes
 * how all stands. */

static void run_clock(struct work *work)
{
	struct conductor *c = container_of(work, struct conductor, clock);

	summary_take(&c->taken, c->registry, &c->config->conductor, NULL, time(NULL));
}

static void tell_of_old_ports(struct conductor *c)
{
	if (c->told_of_old_ports || !summary_warns_of_old_ports(&c->summary))
		return;
	c->told_of_old_ports = true;
	log_event(LOG_OLD_PORTS_OPEN, NULL,
		  "every router onboards, and something still listens on port 4505 or 4506; this "
		  "closes them: " OLD_PORTS_COMMAND);
}

static void on_clock(struct work *work)
{
	struct conductor *c = container_of(work, struct conductor, clock);

	c->clock_is_looked_at = false;
	c->summary = c->taken;
	tell_of_old_ports(c);
	if (c->summary.clock_problem[0])
		log_event(LOG_CLOCK_SET_BACK,
			  &(struct log_fields){.reason = c->summary.clock_problem},
			  "%s: nobody is enrolled, and no token issued", c->summary.clock_problem);
	if (c->look_again)
		conductor_look_around(c);
	node_job_ends(&c->node);
}

void conductor_look_around(struct conductor *c)
{
	c->look_again = c->clock_is_looked_at;
	if (c->clock_is_looked_at || c->node.stopping)
		return;
	c->clock_is_looked_at = true;
	node_job_begins(&c->node);
	work_pool_submit(c->registry_pool, &c->node.loop, &c->clock, run_clock, on_clock);
}

static void on_minute(uv_timer_t *timer)
{
	conductor_look_around(container_of(timer, struct conductor, minute));
}

/* Start and end. */

static void on_registry_asked(void *owner)
{
	struct conductor *c = owner;

	registry_watch_look(&c->registry_watch);
}

static int start(struct node *n, struct err *err)
{
	struct conductor *c = conductor_of(n);
	int rc = config_load(&c->config, n->config_path, CONFIG_CONDUCTOR, err);

	if (rc == 0)
		rc = registry_open(&c->registry, c->config->conductor.registry, c->config->name,
				   err);
	if (rc == 0)
		rc = work_pool_open(&c->registry_pool, &n->loop, on_registry_asked, c, err);
	(void)uv_timer_init(&n->loop, &c->minute);
	registry_watch_init(&c->registry_watch, c);
	registration_init(&c->registration, c);
	if (rc == 0)
		(void)uv_timer_start(&c->minute, on_minute, 0, CLOCK_MS);
	c->has_minute = true;
	if (rc == 0)
		rc = start_tunnels(c, err);
	if (rc == 0) {
		c->visits = provisioning_new(c);
		rc = c->visits ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	if (rc < 0)
		return rc;
	start_keys(c);
	rc = known_routers_init(&c->known, &n->loop, c->known_path, err);
	if (rc < 0)
		return rc;
	c->has_known = true;
	return start_sco(c, err);
}

static void on_all_closed(void *owner)
{
	struct conductor *c = owner;

	registry_close(c->registry);
	config_free(c->config);
	free(c->tunnels_directory);
	free(c->keys_path);
	free(c->known_path);
	c->closed(c->closed_owner);
}

static void on_pool_closed(void *owner)
{
	struct conductor *c = owner;

	registry_watch_close(&c->registry_watch, on_all_closed, c);
}

/* Nobody is left who could ask the registry. */
static void part_closed(void *owner)
{
	struct conductor *c = owner;

	if (--c->closing > 0)
		return;
	if (c->registry_pool)
		work_pool_close(c->registry_pool, on_pool_closed, c);
	else
		on_pool_closed(c);
}

static void on_minute_closed(uv_handle_t *handle)
{
	part_closed(container_of((uv_timer_t *)handle, struct conductor, minute));
}

static void on_tunnels_closed(struct tunnels *t)
{
	part_closed(container_of(t, struct conductor, tunnels));
}

/* Handshakes on workers write keys, and visits look them up: the keys outlive both. */
static void let_keys_go(struct conductor *c)
{
	if (--c->keys_users == 0 && c->has_keys)
		login_keys_close(&c->keys, part_closed, c);
}

/* The port looks addresses up in it. */
static void on_enrolment_closed(void *owner)
{
	struct conductor *c = owner;

	let_keys_go(c);
	known_routers_close(&c->known, part_closed, c);
}

static void on_keys_user_closed(void *owner)
{
	let_keys_go(owner);
	part_closed(owner);
}

static void stopping(struct node *n)
{
	struct conductor *c = conductor_of(n);

	last_resort_begin(END_MS);
	router_calls_stop(c);
	if (c->registry)
		registry_watch_stop(&c->registry_watch);
}

static void close_conductor(struct node *n, void (*closed)(void *owner), void *owner)
{
	struct conductor *c = conductor_of(n);

	c->closed = closed;
	c->closed_owner = owner;
	if (!c->has_minute) {
		closed(owner);
		return;
	}
	c->closing = 2u + c->has_tunnels + c->has_keys + (c->visits ? 1 : 0) + c->has_known +
		     (c->repository ? 1 : 0);
	uv_close((uv_handle_t *)&c->minute, on_minute_closed);
	registration_close(&c->registration, part_closed, c);
	if (c->repository)
		http_server_close(c->repository, part_closed, c);
	c->keys_users = 1u + (c->enrolment ? 1 : 0) + (c->visits ? 1 : 0);
	if (c->enrolment)
		enrolment_close(c->enrolment, on_enrolment_closed, c);
	else if (c->has_known)
		known_routers_close(&c->known, part_closed, c);
	c->enrolment = NULL;
	if (c->visits)
		provisioning_close(c->visits, on_keys_user_closed, c);
	c->visits = NULL;
	let_keys_go(c);
	if (c->has_tunnels)
		tunnels_close(&c->tunnels, on_tunnels_closed);
}

static void add_status(const struct node *n, cJSON *json)
{
	const struct conductor *c = container_of(n, const struct conductor, node);

	(void)cJSON_AddItemToObject(json, "secure-conductor-onboarding",
				    summary_to_json(&c->summary, c));
}

static void write_metrics(const struct node *n, FILE *out)
{
	const struct conductor *c = container_of(n, const struct conductor, node);

	summary_write_metrics(&c->summary, c, out);
}

const struct node_program conductor_program = {
	.name = "conductord",
	.role = CONFIG_CONDUCTOR,
	.routes = conductor_routes,
	.n_routes = N_CONDUCTOR_ROUTES,
	.check = conductor_check,
	.start = start,
	.stopping = stopping,
	.close = close_conductor,
	.check_reload = conductor_check_reload,
	.add_status = add_status,
	.write_metrics = write_metrics,
};
