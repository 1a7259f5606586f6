#include "download/download_list.h"

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

struct download_list {
	struct download_home home; /* first: a download finds its list by it */
	struct download_list_options options;
	struct download *first; /* in the order of their requests */
	uv_idle_t schedule;     /* not inside a change of state */
	unsigned open;          /* downloads and handles not closed yet */
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

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

/* One that waits for the peer asks for nothing. */
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

static void schedule(struct download_list *list)
{
	if (!list->closing)
		(void)uv_idle_start(&list->schedule, on_schedule);
}

static void on_changed(struct download *d)
{
	struct download_list *list = list_of(d);

	schedule(list);
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

static void append(struct download_list *list, struct download *d)
{
	struct download **last = &list->first;

	while (*last && (*last)->started_s <= d->started_s)
		last = &(*last)->next;
	d->next = *last;
	*last = d;
	list->open++;
}

static void unlink_download(struct download_list *list, struct download *d)
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
		.changed = on_changed,
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

static void load(struct download_list *list, const char *version)
{
	struct download *d;
	struct err err = {0};

	if (download_load(&d, &list->home, version, &err) < 0) {
		log_event(LOG_DISK_PROBLEM,
			  &(struct log_fields){.version = version, .reason = err.text},
			  "download %s is left out: %s", version, err.text);
		return;
	}
	/* Published just before the end: the record had not been told. */
	if (!d->renewing && !engine_state_is_ended(d->engine.state) &&
	    repository_find(list->home.repository, version))
		engine_restore(&d->engine, ENGINE_COMPLETE, d->engine.attempt, d->engine.used_ms,
			       d->engine.bytes_fetched, "");
	append(list, d);
	if (d->renewing)
		download_restart(d, true);
}

void download_list_start(struct download_list *list)
{
	DIR *directory = opendir(list->home.downloads_directory);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (manifest_name_is_valid(entry->d_name))
			load(list, entry->d_name);
	if (directory)
		(void)closedir(directory);
	schedule(list);
}

void download_list_configure(struct download_list *list, const struct config *config)
{
	list->home.config = config;
	for (struct download *d = list->first; d; d = d->next) {
		download_configure(d, d->engine.limits.concurrency);
		download_leave_forbidden(d);
	}
	schedule(list);
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

	unlink_download(list, d);
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

static struct download *find(const struct download_list *list, const char *version)
{
	for (struct download *d = list->first; d; d = d->next)
		if (strcmp(d->version, version) == 0)
			return d;
	return NULL;
}

const struct download *download_list_find(const struct download_list *list, const char *version)
{
	return find(list, version);
}

const struct download *download_list_first(const struct download_list *list)
{
	return list->first;
}

static int request_again(struct download_list *list, struct download *d,
			 const struct download_request *request, struct err *err)
{
	bool force = request->force;
	enum engine_state state = download_state(d);
	bool present = repository_find(list->home.repository, d->version);

	if (!force && !engine_state_is_ended(state))
		return err_set(err, -EEXIST, "a download of %s is unfinished: it is %s", d->version,
			       engine_state_name(state));
	if (!force && present)
		return err_set(err, -EEXIST, "the image %s is present; 'force' downloads it anew",
			       d->version);
	download_sequence(d, request->sequenced);
	download_restart(d, force);
	/* The last of the queue again. */
	unlink_download(list, d);
	list->open--;
	append(list, d);
	return 0;
}

int download_list_request(struct download_list *list, const struct download_request *request,
			  const struct download **ret, struct err *err)
{
	const char *version = request->version;
	bool force = request->force;
	struct download *d;
	int rc;

	if (!manifest_name_is_valid(version))
		return err_set(err, -EINVAL, "'%s' is not the name of a version", version);
	if (request->sequenced && download_check_sequence(list->home.config, err) < 0)
		return err->code;
	if (claims_have(list->options.claims, version))
		return err_set(err, -EBUSY, "the image %s is just being imported or deleted",
			       version);
	d = find(list, version);
	if (d) {
		rc = request_again(list, d, request, err);
	} else if (!force && repository_find(list->home.repository, version)) {
		rc = err_set(err, -EEXIST, "the image %s is present; 'force' downloads it anew",
			     version);
	} else {
		rc = repository_make_directories(list->home.repository, err);
		if (rc == 0)
			rc = download_new(&d, &list->home, version, request->sequenced, err);
		if (rc == 0)
			append(list, d);
		if (rc == 0 && force)
			download_restart(d, true);
		if (rc == 0)
			on_changed(d);
	}
	if (rc == 0)
		*ret = d;
	schedule(list);
	return rc;
}

/* The download, if it is there and in none of the states that refuse. */
static int find_for(const struct download_list *list, const char *version, const char *what,
		    bool (*refuses)(enum engine_state state), struct download **ret,
		    struct err *err)
{
	struct download *d = find(list, version);

	if (!d)
		return err_set(err, -ENOENT, "there is no download of %s", version);
	if (d->renewing)
		return err_set(err, -EBUSY,
			       "the download of %s cannot be %s just now: what was there of it is "
			       "being discarded",
			       version, what);
	if (refuses(download_state(d)))
		return err_set(err, -EBUSY, "the download of %s cannot be %s: it is %s", version,
			       what, engine_state_name(download_state(d)));
	*ret = d;
	return 0;
}

static bool refuses_pause(enum engine_state state)
{
	return engine_state_is_ended(state) || state == ENGINE_PAUSED || state == ENGINE_FINISHING;
}

static bool refuses_resume(enum engine_state state)
{
	return state != ENGINE_PAUSED;
}

static bool refuses_cancel(enum engine_state state)
{
	return state == ENGINE_COMPLETE || state == ENGINE_CANCELLED || state == ENGINE_FINISHING;
}

static bool refuses_discard(enum engine_state state)
{
	return state == ENGINE_COMPLETE || state == ENGINE_FINISHING;
}

int download_list_pause(struct download_list *list, const char *version, struct err *err)
{
	struct download *d;
	int rc = find_for(list, version, "paused", refuses_pause, &d, err);

	if (rc == 0)
		download_pause(d);
	return rc;
}

int download_list_resume(struct download_list *list, const char *version, struct err *err)
{
	struct download *d;
	int rc = find_for(list, version, "resumed", refuses_resume, &d, err);

	if (rc == 0)
		download_resume(d);
	return rc;
}

int download_list_cancel(struct download_list *list, const char *version, bool discard,
			 struct err *err)
{
	struct download *d;
	int rc = find_for(list, version, "cancelled", discard ? refuses_discard : refuses_cancel,
			  &d, err);

	if (rc == 0)
		download_cancel(d, discard);
	return rc;
}

cJSON *download_list_to_json(const struct download_list *list)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *downloads = cJSON_AddArrayToObject(json, "downloads");

	for (const struct download *d = list->first; d; d = d->next)
		cJSON_AddItemToArray(downloads, download_to_json(d));
	return json;
}
