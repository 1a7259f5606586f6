#include "stewardd/daemon.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "core/log.h"
#include "core/log_events.h"
#include "core/macros.h"
#include "stewardd/images.h"
#include "stewardd/routes.h"

static void warn(const struct err *warning)
{
	if (warning->code < 0)
		log_event(LOG_CONFIGURATION_WARNING, &(struct log_fields){.reason = warning->text},
			  "%s", warning->text);
}

static void update_status(const struct daemon *d)
{
	const struct download *running = NULL;

	for (const struct download *at = download_list_first(d->downloads); at; at = at->next)
		if (engine_state_is_running(download_state(at)) && !running)
			running = at;
	if (!running)
		notify_status("idle, %zu images", repository_count(d->repository));
	else if (running->manifest.size == 0)
		notify_status("%s %s", engine_state_name(download_state(running)),
			      running->version);
	else
		notify_status("%s %s: %u %%", engine_state_name(download_state(running)),
			      running->version,
			      (unsigned)(download_bytes_verified(running) * 100 /
					 running->manifest.size));
}

static void publish(struct daemon *d, const char *event, const struct download *download)
{
	cJSON *json;

	if (!events_has_readers(&d->events))
		return;
	json = download_to_json(download);
	events_publish(&d->events, event, json);
	cJSON_Delete(json);
}

static void on_changed(void *owner, const struct download *download)
{
	struct daemon *d = owner;

	update_status(d);
	publish(d, "state", download);
}

static void on_progressed(void *owner, const struct download *download)
{
	struct daemon *d = owner;

	update_status(d);
	publish(d, "progress", download);
}

static void on_recorded(void *owner, const struct download *download)
{
	struct daemon *d = owner;

	orders_recorded(&d->orders, download);
}

static bool allows(void *owner, const struct http_peer *peer, enum http_change change)
{
	const struct daemon *d = owner;

	return peer_access_allows(&d->access, peer, change);
}

static void on_refused(void *owner, const struct http_peer *peer, const char *method,
		       const char *path)
{
	(void)owner;
	log_event(LOG_ACCESS_REFUSED, NULL, "user %u may not %s %s", peer->uid, method, path);
}

static int listen_control(struct daemon *d, struct err *err)
{
	struct http_listener listener = {
		.routes = control_routes,
		.n_routes = n_control_routes,
		.allows = allows,
		.refused = on_refused,
		.owner = d,
	};
	struct err warning;

	peer_access_init(&d->access, &d->config->control, &warning);
	warn(&warning);
	return http_server_listen_unix(&d->control, &d->loop, &listener, d->config->control.socket,
				       err);
}

static int listen_shared(struct daemon *d, struct err *err)
{
	const struct config_software_update *update = &d->config->software_update;
	struct http_listener listener = {
		.routes = shared_routes,
		.n_routes = n_shared_routes,
		.owner = d,
	};

	if (update->n_listen > LISTENERS_MAX)
		return err_set(err, -E2BIG, "repository: more than %d listen", LISTENERS_MAX);
	for (size_t i = 0; i < update->n_listen; i++) {
		int rc = http_server_listen_tcp(&d->shared[i], &d->loop, &listener,
						update->listen[i].address, update->listen[i].port,
						err);

		if (rc < 0)
			return rc;
		d->n_shared++;
	}
	return 0;
}

static int open_repository(struct daemon *d, struct err *err)
{
	struct err removed;
	struct err trouble;
	int rc = repository_open(&d->repository, d->config->state_directory, &removed, &trouble,
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

static int open_downloads(struct daemon *d, struct err *err)
{
	struct download_list_options options = {
		.loop = &d->loop,
		.client = d->client,
		.intake = &d->intake,
		.repository = d->repository,
		.claims = &d->claims,
		.config = d->config,
		.changed = on_changed,
		.progressed = on_progressed,
		.recorded = on_recorded,
		.owner = d,
	};

	return download_list_init(&d->downloads, &options, err);
}

static int start(struct daemon *d, struct err *err)
{
	int rc = open_repository(d, err);

	if (rc == 0)
		rc = http_client_init(&d->client, &d->loop, err);
	if (rc == 0)
		rc = open_downloads(d, err);
	if (rc == 0)
		rc = listen_control(d, err);
	if (rc == 0)
		rc = listen_shared(d, err);
	return rc;
}

static int refuse_changed(const char *what, const char *old, const char *new, struct err *err)
{
	if (strcmp(old, new) == 0)
		return 0;
	return err_set(err, -EINVAL, "%s: %s cannot become %s without a restart", what, old, new);
}

static bool same_listen(const struct config_software_update *a,
			const struct config_software_update *b)
{
	if (a->n_listen != b->n_listen)
		return false;
	for (size_t i = 0; i < a->n_listen; i++)
		if (strcmp(a->listen[i].address, b->listen[i].address) != 0 ||
		    a->listen[i].port != b->listen[i].port)
			return false;
	return true;
}

/* What cannot change while the daemon runs. */
static int check_reload(const struct config *old, const struct config *new, struct err *err)
{
	int rc = refuse_changed("state-directory", old->state_directory, new->state_directory, err);

	if (rc == 0)
		rc = refuse_changed("control/socket", old->control.socket, new->control.socket,
				    err);
	if (rc == 0 && !same_listen(&old->software_update, &new->software_update))
		rc = err_set(err, -EINVAL,
			     "software-update/repository/listen cannot change without a restart");
	return rc;
}

int daemon_reload(struct daemon *d, struct err *err)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct config *old = d->config;
	struct err warning;
	int rc;

	notify_reloading();
	rc = config_load(&config, d->config_path, err);
	if (rc == 0)
		rc = check_reload(old, config, err);
	if (rc < 0) {
		log_event(LOG_CONFIGURATION_REFUSED, &(struct log_fields){.reason = err->text},
			  "configuration refused, the running one stays in force: %s", err->text);
		notify_ready();
		return -EINVAL;
	}
	d->config = config;
	config = NULL;
	intake_set_rate(&d->intake, d->config->software_update.max_bandwidth_bps);
	download_list_configure(d->downloads, d->config);
	peer_access_init(&d->access, &d->config->control, &warning);
	warn(&warning);
	config_free(old);
	log_event(LOG_CONFIGURATION_LOADED, NULL, "configuration loaded from %s", d->config_path);
	notify_ready();
	return 0;
}

/* The end, step by step: nobody asks any more; downloads; then what they stood on. */

static void part_closed(void *owner)
{
	struct daemon *d = owner;

	assert(d->closing > 0);
	if (--d->closing == 0 && d->next_step)
		d->next_step(d);
}

static void on_signal_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

static void close_rest(struct daemon *d)
{
	d->next_step = NULL;
	d->closing = 4;
	versions_release(&d->versions);
	events_close(&d->events, part_closed, d);
	notify_close(&d->notify, part_closed, d);
	intake_close(&d->intake, part_closed, d);
	if (d->client)
		http_client_close(d->client, part_closed, d);
	else
		part_closed(d);
}

static void close_downloads(struct daemon *d)
{
	if (d->jobs > 0)
		return; /* the last job comes here again */
	d->next_step = close_rest;
	d->closing = 1;
	if (d->downloads)
		download_list_close(d->downloads, part_closed, d);
	else
		part_closed(d);
}

static void stop(struct daemon *d)
{
	if (d->stopping)
		return;
	__atomic_store_n(&d->stopping, true, __ATOMIC_RELAXED);
	notify_stopping();
	d->next_step = close_downloads;
	d->closing = (unsigned)(N_ELEMENTS(d->signals) + d->n_shared) + (d->control ? 1 : 0);
	for (size_t i = 0; i < N_ELEMENTS(d->signals); i++)
		uv_close((uv_handle_t *)&d->signals[i], on_signal_closed);
	for (size_t i = 0; i < d->n_shared; i++)
		http_server_close(d->shared[i], part_closed, d);
	if (d->control)
		http_server_close(d->control, part_closed, d);
}

void daemon_job_begins(struct daemon *d)
{
	d->jobs++;
}

void daemon_job_ends(struct daemon *d)
{
	if (--d->jobs == 0 && d->stopping && d->closing == 0)
		close_downloads(d);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct daemon *d = signal->data;
	struct err err;

	if (number == SIGHUP) {
		(void)daemon_reload(d, &err);
		return;
	}
	log_event(LOG_DAEMON_STOPPING, NULL, "stopping");
	stop(d);
}

static void watch_signals(struct daemon *d)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
		(void)uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		(void)uv_signal_start(&d->signals[i], on_signal, numbers[i]);
	}
}

static int exit_code(const struct err *err)
{
	switch (err->code) {
	case 0:
		return EX_OK;
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

static void go(struct daemon *d)
{
	log_event(LOG_DAEMON_STARTED, NULL, "stewardd %s started, control socket %s",
		  STEWARD_VERSION, d->config->control.socket);
	download_list_start(d->downloads);
	update_status(d);
	notify_ready();
}

int daemon_run(struct daemon *d, const char *config_path, struct config *config)
{
	struct err err = {0};
	int rc;

	d->config_path = config_path;
	d->config = config;
	d->started_ms = download_clock_ms();
	(void)uv_loop_init(&d->loop);
	watch_signals(d);
	notify_init(&d->notify, &d->loop);
	events_init(&d->events, &d->loop);
	intake_init(&d->intake, &d->loop, config->software_update.max_bandwidth_bps);
	if (start(d, &err) < 0) {
		log_event(LOG_DISK_PROBLEM, &(struct log_fields){.reason = err.text},
			  "cannot start: %s", err.text);
		stop(d);
	} else {
		versions_init(&d->versions, d->client, &d->loop);
		go(d);
	}
	(void)uv_run(&d->loop, UV_RUN_DEFAULT);
	rc = uv_loop_close(&d->loop);
	assert(rc == 0);
	(void)rc;
	images_forget_imports();
	repository_close(d->repository);
	config_free(d->config);
	return exit_code(&err);
}
