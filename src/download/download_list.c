/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/download_list_private.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"

static struct download_list *list_of(struct download *d)
{
	return container_of(d->home, struct download_list, home);
}

static unsigned running_max(const struct download_list *list)
{
	unsigned concurrency = list->home.config->software_update.download.concurrency;

	return MIN(DOWNLOADS_RUNNING_MAX, concurrency);
}

static unsigned count_running(const struct download_list *list)
{
	unsigned n = 0;

	for (const struct download *d = list->first; d; d = d->next)
		n += engine_state_is_running(d->engine.state);
	return n;
}

/* Does this download use a part of the concurrency? One that waits for the peer makes no
 * requests. */
static bool takes_a_share(const struct download *d)
{
	return engine_state_is_running(d->engine.state) && d->engine.state != ENGINE_WAITING_PEER;
}

static void share_concurrency(struct download_list *list)
{
	unsigned left = list->home.config->software_update.download.concurrency;
	unsigned n = 0;

	for (const struct download *d = list->first; d; d = d->next)
		n += takes_a_share(d);

	for (struct download *d = list->first; d && n > 0; d = d->next) {
		unsigned share = (left + n - 1) / n;

		if (!takes_a_share(d))
			continue;
		left -= share;
		n--;
		download_configure(d, share);
	}
}

static void on_schedule(uv_idle_t *idle)
{
	struct download_list *list = container_of(idle, struct download_list, schedule);

	(void)uv_idle_stop(idle);
	for (struct download *d = list->first; d; d = d->next)
		if (d->engine.state == ENGINE_QUEUED && count_running(list) < running_max(list))
			download_run(d);
	share_concurrency(list);
}

void download_list_schedule(struct download_list *list)
{
	if (!list->closing)
		(void)uv_idle_start(&list->schedule, on_schedule);
}

void download_list_changed(struct download *d)
{
	struct download_list *list = list_of(d);

	download_list_schedule(list);
	list->options.changed(list->options.owner, d);
}

static void on_recorded(struct download *d)
{
	struct download_list *list = list_of(d);

	list->options.recorded(list->options.owner, d);
}

static void on_progressed(struct download *d)
{
	struct download_list *list = list_of(d);

	list->options.progressed(list->options.owner, d);
}

static int on_make_room(struct download *d, uint64_t size, struct image_names *ret_going,
			struct err *err)
{
	struct download_list *list = list_of(d);

	return list->options.make_room(list->options.owner, d, size, ret_going, err);
}

void download_list_append(struct download_list *list, struct download *d)
{
	struct download **last = &list->first;

	while (*last && (*last)->started_s <= d->started_s)
		last = &(*last)->next;
	d->next = *last;
	*last = d;
	list->open++;
}

void download_list_unlink(struct download_list *list, struct download *d)
{
	struct download **at = &list->first;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
}

int download_list_init(struct download_list **ret, const struct download_list_options *options,
		       struct err *err)
{
	struct download_list *list = calloc(1, sizeof(*list));

	if (!list)
		return err_set(err, -ENOMEM, "downloads: out of memory");
	list->options = *options;
	list->home = (struct download_home){
		.loop = options->loop,
		.client = options->client,
		.buffers = options->buffers,
		.repository = options->repository,
		.config = options->config,
		.marks_downloaded = options->marks_downloaded,
		.make_room = options->make_room ? on_make_room : NULL,
		.changed = download_list_changed,
		.progressed = on_progressed,
		.recorded = on_recorded,
	};
	if (asprintf(&list->home.downloads_directory, "%s/downloads",
		     options->config->state_directory) < 0) {
		free(list);
		return err_set(err, -ENOMEM, "downloads: out of memory");
	}
	if (piece_map_read_boot_id(list->home.boot_id, err) < 0) {
		free(list->home.downloads_directory);
		free(list);
		return err->code;
	}
	(void)uv_idle_init(options->loop, &list->schedule);
	list->open = 1;
	*ret = list;
	return 0;
}

static void load_download(struct download_list *list, const char *version)
{
	struct download *d;
	struct err err = {0};

	if (download_load(&d, &list->home, version, &err) < 0) {
		log_event(LOG_DISK_PROBLEM,
			  &(struct log_fields){.version = version, .reason = err.text},
			  "download %s is left out: %s", version, err.text);
		return;
	}
	/* The image was published just before the daemon ended, and request.json does not say so
	 * yet. */
	if (!d->renewing && !engine_state_is_ended(d->engine.state) &&
	    repository_find(list->home.repository, version))
		engine_restore(&d->engine, ENGINE_COMPLETE, d->engine.attempt, d->engine.used_ms,
			       d->engine.bytes_fetched, "");
	download_list_append(list, d);
	if (d->renewing)
		download_restart(d, true);
}

void download_list_start(struct download_list *list)
{
	DIR *directory = opendir(list->home.downloads_directory);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (manifest_name_is_valid(entry->d_name))
			load_download(list, entry->d_name);
	if (directory)
		(void)closedir(directory);
	download_list_schedule(list);
}

void download_list_configure(struct download_list *list, const struct config *config)
{
	list->home.config = config;
	for (struct download *d = list->first; d; d = d->next) {
		download_configure(d, d->engine.limits.concurrency);
		download_leave_forbidden(d);
	}
	download_list_schedule(list);
}

static void release_if_closed(struct download_list *list)
{
	void (*closed)(void *owner) = list->closed;
	void *owner = list->owner;

	if (--list->open > 0)
		return;
	free(list->home.downloads_directory);
	free(list);
	closed(owner);
}

static void on_download_closed(struct download *d)
{
	struct download_list *list = list_of(d);

	download_list_unlink(list, d);
	download_free(d);
	release_if_closed(list);
}

static void on_idle_closed(uv_handle_t *handle)
{
	release_if_closed(container_of(handle, struct download_list, schedule));
}

void download_list_close(struct download_list *list, void (*closed)(void *owner), void *owner)
{
	list->closing = true;
	list->closed = closed;
	list->owner = owner;
	for (struct download *d = list->first; d; d = d->next)
		download_close(d, on_download_closed);
	uv_close((uv_handle_t *)&list->schedule, on_idle_closed);
}

struct download *download_list_get(const struct download_list *list, const char *version)
{
	for (struct download *d = list->first; d; d = d->next)
		if (strcmp(d->version, version) == 0)
			return d;
	return NULL;
}

const struct download *download_list_find(const struct download_list *list, const char *version)
{
	return download_list_get(list, version);
}

const struct download *download_list_first(const struct download_list *list)
{
	return list->first;
}

cJSON *download_list_to_json(const struct download_list *list)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *downloads = cJSON_AddArrayToObject(json, "downloads");

	for (const struct download *d = list->first; d; d = d->next)
		cJSON_AddItemToArray(downloads, download_to_json(d));
	return json;
}
