/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/node_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "node/import.h"
#include "node/routes.h"

static void update_status(const struct node *n)
{
	const struct download *running = NULL;

	for (const struct download *at = download_list_first(n->downloads); at; at = at->next)
		if (engine_state_is_running(download_state(at)) && !running)
			running = at;
	if (!running)
		notify_status("idle, %zu images", repository_count(n->repository));
	else if (running->manifest.size == 0)
		notify_status("%s %s", engine_state_name(download_state(running)),
			      running->version);
	else
		notify_status("%s %s: %u %%", engine_state_name(download_state(running)),
			      running->version,
			      (unsigned)(download_bytes_verified(running) * 100 /
					 running->manifest.size));
}

static void publish_event(struct node *n, const char *event, const struct download *download)
{
	cJSON *json;

	if (!events_has_readers(&n->events))
		return;
	json = download_to_json(download);
	events_publish(&n->events, event, json);
	cJSON_Delete(json);
}

static void on_changed(void *owner, const struct download *download)
{
	struct node *n = owner;

	update_status(n);
	publish_event(n, "state", download);
}

static void on_progressed(void *owner, const struct download *download)
{
	struct node *n = owner;

	update_status(n);
	publish_event(n, "progress", download);
}

static void on_recorded(void *owner, const struct download *download)
{
	struct node *n = owner;

	orders_recorded(&n->orders, download);
}

static bool allows(void *owner, const struct http_peer *peer, enum http_change change)
{
	const struct node *n = owner;

	return peer_access_allows(&n->access, peer, change);
}

static void on_refused(void *owner, const struct http_peer *peer, const char *method,
		       const char *path)
{
	(void)owner;
	log_event(LOG_ACCESS_REFUSED, NULL, "user %u may not %s %s", peer->uid, method, path);
}

static int list_routes(struct node *n, struct err *err)
{
	n->routes = calloc(n_control_routes + n->program->n_routes, sizeof(*n->routes));
	if (!n->routes)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(n->routes, control_routes, n_control_routes * sizeof(*n->routes));
	if (n->program->n_routes > 0)
		memcpy(n->routes + n_control_routes, n->program->routes,
		       n->program->n_routes * sizeof(*n->routes));
	return 0;
}

static int listen_control(struct node *n, struct err *err)
{
	struct http_listener listener = {
		.routes = n->routes,
		.n_routes = n_control_routes + n->program->n_routes,
		.allows = allows,
		.refused = on_refused,
		.owner = n,
	};
	struct err warning;

	peer_access_init(&n->access, &n->config->control, &warning);
	node_warn(&warning);
	return http_server_listen_unix(&n->control, &n->loop, &listener, n->config->control.socket,
				       err);
}

static int listen_shared(struct node *n, struct err *err)
{
	const struct config_software_update *update = &n->config->software_update;
	const struct http_listener listener = routes_shared_listener(n);

	if (update->n_listen > LISTENERS_MAX)
		return err_set(err, -E2BIG, "repository: more than %d listen", LISTENERS_MAX);
	for (size_t i = 0; i < update->n_listen; i++) {
		int rc = http_server_listen_tcp(&n->shared[i], &n->loop, &listener,
						update->listen[i].address, update->listen[i].port,
						err);

		if (rc < 0)
			return rc;
		n->n_shared++;
	}
	return 0;
}

static int open_repository(struct node *n, struct err *err)
{
	struct err removed;
	struct err trouble;
	int rc = repository_open(&n->repository, n->config->state_directory, &removed, &trouble,
				 err);

	if (rc < 0)
		return rc;
	if (removed.code < 0)
		log_event(LOG_IMAGE_REMOVED, &(struct log_fields){.reason = removed.text}, "%s",
			  removed.text);
	if (trouble.code < 0)
		log_event(LOG_DISK_PROBLEM, &(struct log_fields){.reason = trouble.text}, "%s",
			  trouble.text);
	return 0;
}

static int on_make_room(void *owner, const struct download *download, uint64_t size,
			struct image_names *ret_going, struct err *err)
{
	struct node *n = owner;

	return n->program->make_room(n, download, size, ret_going, err);
}

static int open_downloads(struct node *n, struct err *err)
{
	struct download_list_options options = {
		.loop = &n->loop,
		.client = n->client,
		.buffers = &n->buffers,
		.repository = n->repository,
		.claims = &n->claims,
		.config = n->config,
		.marks_downloaded = n->program->tells_imported_apart,
		.make_room = n->program->make_room ? on_make_room : NULL,
		.changed = on_changed,
		.progressed = on_progressed,
		.recorded = on_recorded,
		.owner = n,
	};

	return download_list_init(&n->downloads, &options, err);
}

static int start_parts(struct node *n, struct err *err)
{
	int rc = open_repository(n, err);

	if (rc == 0)
		rc = http_client_init(&n->client, &n->loop, err);
	if (rc == 0)
		rc = open_downloads(n, err);
	if (rc == 0)
		rc = list_routes(n, err);
	if (rc == 0)
		rc = listen_control(n, err);
	if (rc == 0)
		rc = listen_shared(n, err);
	if (rc == 0 && n->program->start)
		rc = n->program->start(n, err);
	return rc;
}

/* The end, step by step: first those who make requests, then the downloads, then what the
 * downloads used. */

static void part_closed(void *owner)
{
	struct node *n = owner;

	assert(n->closing > 0);
	if (--n->closing == 0 && n->next_step)
		n->next_step(n);
}

static void on_signal_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

static void close_rest(struct node *n)
{
	n->next_step = NULL;
	n->closing = 5;
	versions_release(&n->versions);
	events_close(&n->events, part_closed, n);
	notify_close(&n->notify, part_closed, n);
	bandwidth_close(&n->bandwidth, part_closed, n);
	receive_buffers_close(&n->buffers, part_closed, n);
	if (n->client)
		http_client_close(n->client, part_closed, n);
	else
		part_closed(n);
}

static void close_downloads(struct node *n)
{
	n->next_step = close_rest;
	n->closing = 1;
	if (n->downloads)
		download_list_close(n->downloads, part_closed, n);
	else
		part_closed(n);
}

static void close_program(struct node *n)
{
	if (n->jobs > 0)
		return; /* when the last job ends, this is called again */
	n->next_step = close_downloads;
	n->closing = 1;
	if (n->program->close)
		n->program->close(n, part_closed, n);
	else
		part_closed(n);
}

static void stop_node(struct node *n)
{
	if (n->stopping)
		return;
	__atomic_store_n(&n->stopping, true, __ATOMIC_RELAXED);
	notify_stopping();
	n->next_step = close_program;
	n->closing = (unsigned)(N_ELEMENTS(n->signals) + n->n_shared) + (n->control ? 1 : 0);
	for (size_t i = 0; i < N_ELEMENTS(n->signals); i++)
		uv_close((uv_handle_t *)&n->signals[i], on_signal_closed);
	for (size_t i = 0; i < n->n_shared; i++)
		http_server_close(n->shared[i], part_closed, n);
	if (n->control)
		http_server_close(n->control, part_closed, n);
	if (n->program->stopping)
		n->program->stopping(n);
}

void node_job_begins(struct node *n)
{
	n->jobs++;
}

void node_job_ends(struct node *n)
{
	if (--n->jobs == 0 && n->stopping && n->closing == 0)
		close_program(n);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct node *n = signal->data;
	struct err err;

	if (number == SIGHUP) {
		(void)node_reload(n, &err);
		return;
	}
	log_event(LOG_DAEMON_STOPPING, NULL, "stopping");
	stop_node(n);
}

static void watch_signals(struct node *n)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
		(void)uv_signal_init(&n->loop, &n->signals[i]);
		n->signals[i].data = n;
		(void)uv_signal_start(&n->signals[i], on_signal, numbers[i]);
	}
}

static int exit_code(const struct err *err)
{
	switch (err->code) {
	case -EACCES:
	case -EPERM:
		return EX_NOPERM;
	case -EXDEV:
	case -EINVAL:
		return EX_CONFIG;
	default:
		return EX_IOERR;
	}
}

static void enter_service(struct node *n)
{
	log_event(LOG_DAEMON_STARTED, NULL, "%s %s started, control socket %s", n->program->name,
		  STEWARD_VERSION, n->config->control.socket);
	download_list_start(n->downloads);
	update_status(n);
	notify_ready();
}

int node_run(struct node *n, const struct node_program *program, const char *config_path,
	     struct config *config)
{
	struct err err = {0};
	bool started;
	int rc;

	n->program = program;
	n->config_path = config_path;
	n->config = config;
	n->started_ms = download_clock_ms();
	(void)uv_loop_init(&n->loop);
	watch_signals(n);
	notify_init(&n->notify, &n->loop);
	events_init(&n->events, &n->loop);
	receive_buffers_init(&n->buffers, &n->loop, 0);
	bandwidth_init(&n->bandwidth, &n->loop, &n->buffers, &config->software_update);
	started = start_parts(n, &err) == 0;
	if (!started) {
		log_event(LOG_DISK_PROBLEM, &(struct log_fields){.reason = err.text},
			  "cannot start: %s", err.text);
		stop_node(n);
	} else {
		versions_init(&n->versions, n->client, &n->loop);
		enter_service(n);
	}
	(void)uv_run(&n->loop, UV_RUN_DEFAULT);
	rc = uv_loop_close(&n->loop);
	assert(rc == 0);
	(void)rc;
	import_forget_manifests();
	repository_close(n->repository);
	free(n->routes);
	config_free(n->config);
	return started ? EX_OK : exit_code(&err);
}
