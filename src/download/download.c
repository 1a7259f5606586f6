/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/download_private.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"

uint64_t download_clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void download_discarded(struct download *d)
{
	struct engine_limits limits = d->engine.limits;
	bool sequenced = d->engine.turn != TURN_FREE;

	d->discarding = false;
	d->manifest.size = 0;
	d->recorded_verified = 0;
	engine_forget_image(&d->engine);
	if (d->renewing) {
		download_history_forget(d);
		engine_release(&d->engine);
		engine_init(&d->engine, &limits, d->engine.seed, download_clock_ms());
		download_sequence(d, sequenced);
		d->started_s = time(NULL);
	}
	d->renewing = false;
	download_want(d, DISK_TASK_SAVE);
	d->home->changed(d);
}

enum engine_state download_state(const struct download *d)
{
	return d->renewing ? ENGINE_QUEUED : d->engine.state;
}

void download_run(struct download *d)
{
	if (!d->renewing && !d->discarding)
		download_tell(d, EVENT_RUN);
}

void download_pause(struct download *d)
{
	download_tell(d, EVENT_PAUSE);
}

void download_resume(struct download *d)
{
	download_tell(d, EVENT_RESUME);
}

static void discard_files(struct download *d)
{
	if (!engine_state_is_ended(d->engine.state))
		download_tell(d, EVENT_CANCEL);
	d->discarding = true;
	download_settle(d);
}

void download_cancel(struct download *d, bool also_discard)
{
	if (d->engine.state != ENGINE_CANCELLED)
		download_tell(d, EVENT_CANCEL);
	if (also_discard)
		discard_files(d);
}

int download_check_sequence(const struct config *config, struct err *err)
{
	if (!config->high_availability.peer_node)
		return err_set(err, -EINVAL,
			       "sequenced: this node takes part in no sequence: no HA peer is "
			       "configured (high-availability/peer-node)");
	if (!config->high_availability.own_node)
		return err_set(
			err, -EINVAL,
			"sequenced: this node's own name is not configured (node), so nobody "
			"can tell which one is first");
	return 0;
}

void download_sequence(struct download *d, bool sequenced)
{
	engine_set_turn(&d->engine, sequenced ? TURN_AWAITED : TURN_FREE);
}

void download_restart(struct download *d, bool also_discard)
{
	if (also_discard || d->engine.state == ENGINE_COMPLETE) {
		d->renewing = true;
		discard_files(d);
		return;
	}
	d->started_s = time(NULL);
	download_tell(d, EVENT_RESTART);
}

/* Is the peer first in a sequence? The node whose name sorts first is: it also fetches the image
 * from its beginning. */
static bool follows_peer(const struct config *config)
{
	const char *peer = config->high_availability.peer_node;
	const char *own = config->high_availability.own_node;

	return peer && own && strcmp(own, peer) > 0;
}

static void read_limits(struct download *d, struct engine_limits *limits)
{
	const struct config_download *c = &d->home->config->software_update.download;

	limits->timeout_ms = c->enable_timeout ? UINT64_C(1000) * c->timeout_s : 0;
	limits->attempts = c->attempts;
	limits->initial_retry_delay_ms = UINT64_C(1000) * c->initial_retry_delay_s;
	limits->maximum_retry_delay_ms = UINT64_C(1000) * c->maximum_retry_delay_s;
	limits->window = c->window;
	limits->follows_peer = follows_peer(d->home->config);
	limits->order = limits->follows_peer ? PICK_DESCENDING : PICK_ASCENDING;
	limits->peer_patience_ms =
		UINT64_C(1000) * d->home->config->high_availability.peer_patience_s;
}

void download_leave_forbidden(struct download *d)
{
	const struct config *config = d->home->config;
	const struct source_place *place = source_list_forbidden(&d->sources, config);
	char reason[128 + SOURCE_NAME_SIZE];

	if (!place)
		return;
	(void)snprintf(reason, sizeof(reason), "access-mode %s leaves out source %s",
		       access_mode_name(config->software_update.access_mode), place->name);
	download_deliver(d,
			 &(struct engine_event){.type = EVENT_SOURCES_FORBIDDEN, .reason = reason});
}

void download_configure(struct download *d, unsigned concurrency)
{
	read_limits(d, &d->engine.limits);
	d->engine.limits.concurrency = concurrency;
	download_tell(d, EVENT_CONFIGURED);
}

void download_free(struct download *d)
{
	catalog_release(&d->catalog);
	download_chunks_stop(d);
	download_fill_forget(d);
	peer_turn_stop(&d->sequence);
	download_peer_forget(d);
	source_list_release(&d->sources);
	trusted_keys_release(&d->keys);
	download_release_disk(d);
	download_history_release(d);
	engine_release(&d->engine);
	free(d->directory);
	free(d);
}

static int make_download(struct download **ret, struct download_home *home, const char *version,
			 struct err *err)
{
	struct engine_limits limits = {.concurrency = 1};
	struct download *d = calloc(1, sizeof(*d));
	uint64_t seed = 0;

	if (!d || asprintf(&d->directory, "%s/%s", home->downloads_directory, version) < 0) {
		free(d);
		return err_set(err, -ENOMEM, "download %s: out of memory", version);
	}
	d->home = home;
	history_init(&d->history.history);
	d->history.written_ms = download_clock_ms();
	download_make_target(d);
	download_peer_init(d);
	(void)snprintf(d->version, sizeof(d->version), "%s", version);
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = download_clock_ms();
	d->recorded_source = NOT_RECORDED;
	read_limits(d, &limits);
	engine_init(&d->engine, &limits, seed, download_clock_ms());
	d->started_s = time(NULL);
	*ret = d;
	return 0;
}

static void start_handles(struct download *d)
{
	(void)uv_timer_init(d->home->loop, &d->wake);
	(void)uv_timer_init(d->home->loop, &d->tick);
	d->handles = 2;
}

static int write_first_record(struct download *d, struct err *err)
{
	char path[PATH_MAX];
	char *text;
	int rc;

	if (mkdir(d->directory, 0755) < 0 && errno != EEXIST)
		return err_set_errno(err, -errno, "create %s", d->directory);
	(void)snprintf(path, sizeof(path), "%s/request.json", d->directory);
	text = download_record_text(d);
	if (!text)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	rc = atomic_file_write(path, span_of_string(text), 0644, err);
	free(text);
	return rc;
}

int download_new(struct download **ret, struct download_home *home, const char *version,
		 bool sequenced, struct err *err)
{
	struct download *d = NULL;
	int rc = make_download(&d, home, version, err);

	if (rc < 0)
		return rc;
	download_sequence(d, sequenced);
	rc = write_first_record(d, err);
	if (rc < 0) {
		(void)rmdir(d->directory);
		download_free(d);
		return rc;
	}
	start_handles(d);
	*ret = d;
	return 0;
}

int download_load(struct download **ret, struct download_home *home, const char *version,
		  struct err *err)
{
	struct download *d = NULL;
	int rc = make_download(&d, home, version, err);

	if (rc < 0)
		return rc;
	rc = download_record_read(d, err);
	if (rc < 0) {
		download_free(d);
		return rc;
	}
	download_history_read(d);
	start_handles(d);
	*ret = d;
	return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct download *d = handle->data;

	if (--d->handles == 0)
		d->closed(d);
}

/* The last job is done. */
void disk_tasks_closed(struct download *d)
{
	d->wake.data = d;
	d->tick.data = d;
	uv_close((uv_handle_t *)&d->wake, on_handle_closed);
	uv_close((uv_handle_t *)&d->tick, on_handle_closed);
}

/* The engine pauses, so that it asks for nothing more; the record keeps the state it was in. */
void download_close(struct download *d, void (*closed)(struct download *d))
{
	assert(!d->closing);
	d->closing = true;
	d->closed = closed;
	d->state_at_close = d->engine.state;
	download_history_tick(d);
	d->disk.stop = true;
	if (engine_state_is_running(d->engine.state) && d->engine.state != ENGINE_FINISHING)
		download_tell(d, EVENT_PAUSE);
	download_arm_timers(d);
	download_settle(d);
}
