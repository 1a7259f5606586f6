/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/images.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "base/work.h"
#include "node/node.h"

#define VERIFY_TICK_MS 500

static struct node *node_of(struct http_exchange *x)
{
	return http_exchange_owner(x);
}

void images_list(struct http_exchange *x)
{
	http_reply_json(x, 200, repository_to_json(node_of(x)->repository));
}

/* A job about one image, with the exchange that waits for it. x becomes NULL if the daemon stops
 * first. */
struct image_job {
	struct work work;
	struct node *node;
	struct http_exchange *x;
	char version[MANIFEST_NAME_SIZE];
	struct claim claim; /* of delete */
	int rc;
	struct err err;
	/* of verify */
	struct trusted_keys keys;
	uv_timer_t tick;
	uint64_t done;
	uint64_t size;
};

static void on_gone(void *kept)
{
	((struct image_job *)kept)->x = NULL;
}

/* Makes a job for the image that the request names. Returns NULL after it has answered why there
 * can be none. */
static struct image_job *new_job(struct http_exchange *x)
{
	struct node *n = node_of(x);
	const char *version = http_exchange_parameter(x, "version");
	const struct image *image = repository_find(n->repository, version);
	struct image_job *job;

	if (!image) {
		http_reply_problem(x, 404, "there is no image %s", version);
		return NULL;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		http_reply_problem(x, 500, "out of memory");
		return NULL;
	}
	job->node = n;
	job->x = x;
	job->size = image->size;
	(void)snprintf(job->version, sizeof(job->version), "%s", version);
	http_exchange_keep(x, job, on_gone);
	node_job_begins(n);
	return job;
}

static void end_job(struct image_job *job)
{
	struct node *n = job->node;

	if (job->x)
		http_exchange_keep(job->x, NULL, NULL);
	trusted_keys_release(&job->keys);
	claim_give_back(&n->claims, &job->claim);
	free(job);
	node_job_ends(n);
}

static void run_delete(struct work *work)
{
	struct image_job *job = container_of(work, struct image_job, work);

	job->rc = repository_remove_files(job->node->repository, job->version, &job->err);
}

static void on_deleted(struct work *work)
{
	struct image_job *job = container_of(work, struct image_job, work);

	if (job->rc == 0) {
		repository_forget(job->node->repository, job->version);
		log_event(LOG_IMAGE_DELETED, &(struct log_fields){.version = job->version},
			  "image %s was deleted", job->version);
	}
	if (job->x && job->rc == 0)
		http_reply_empty(job->x, 204);
	else if (job->x)
		http_reply_problem(job->x, 500, "%s", job->err.text);
	end_job(job);
}

void images_delete(struct http_exchange *x)
{
	const char *version = http_exchange_parameter(x, "version");
	const struct download *download = download_list_find(node_of(x)->downloads, version);
	struct image_job *job = new_job(x);

	if (!job)
		return;
	if (download && !engine_state_is_ended(download_state(download))) {
		http_reply_problem(x, 409, "a download of %s is unfinished", version);
		end_job(job);
	} else if (!claim_take(&job->node->claims, &job->claim, job->version)) {
		http_reply_problem(x, 409, "the image %s is just being deleted", version);
		end_job(job);
	} else {
		work_submit(&job->node->loop, &job->work, run_delete, on_deleted);
	}
}

/* Called on the worker. The loop reads `done` now and then. */
static bool note_progress(void *owner, uint64_t done, uint64_t size)
{
	struct image_job *job = owner;

	(void)size;
	__atomic_store_n(&job->done, done, __ATOMIC_RELAXED);
	return !__atomic_load_n(&job->node->stopping, __ATOMIC_RELAXED);
}

static void run_verify(struct work *work)
{
	struct image_job *job = container_of(work, struct image_job, work);

	job->rc = repository_verify(job->node->repository, job->version, &job->keys, note_progress,
				    job, &job->err);
}

static void send_progress(const struct image_job *job)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "version", job->version);
	cJSON_AddNumberToObject(json, "bytes-done",
				(double)__atomic_load_n(&job->done, __ATOMIC_RELAXED));
	cJSON_AddNumberToObject(json, "bytes-total", (double)job->size);
	(void)events_send(job->x, "progress", json);
	cJSON_Delete(json);
}

static void on_verify_tick(uv_timer_t *timer)
{
	struct image_job *job = container_of(timer, struct image_job, tick);

	if (job->x)
		send_progress(job);
}

static void on_tick_closed(uv_handle_t *handle)
{
	end_job(container_of(handle, struct image_job, tick));
}

static void send_result(struct image_job *job)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "version", job->version);
	cJSON_AddStringToObject(json, "result", job->rc == 0 ? "ok" : "damaged");
	if (job->rc < 0)
		cJSON_AddStringToObject(json, "error", job->err.text);
	else
		cJSON_AddNullToObject(json, "error");
	(void)events_send(job->x, "result", json);
	cJSON_Delete(json);
	http_stream_end(job->x);
}

static void on_verified(struct work *work)
{
	struct image_job *job = container_of(work, struct image_job, work);

	if (job->rc < 0 && job->rc != -ECANCELED)
		log_event(LOG_IMAGE_DAMAGED,
			  &(struct log_fields){.version = job->version, .reason = job->err.text},
			  "image %s is damaged: %s", job->version, job->err.text);
	if (job->x)
		send_result(job);
	uv_close((uv_handle_t *)&job->tick, on_tick_closed);
}

void images_verify(struct http_exchange *x)
{
	struct image_job *job = http_exchange_may_stream(x) ? new_job(x) : NULL;
	struct err warning;

	if (!job)
		return;
	if (trusted_keys_load(&job->keys, job->node->config, &warning, &job->err) < 0) {
		http_reply_problem(x, 500, "%s", job->err.text);
		end_job(job);
		return;
	}
	http_reply_stream(x, 200, "text/event-stream");
	(void)uv_timer_init(&job->node->loop, &job->tick);
	(void)uv_timer_start(&job->tick, on_verify_tick, 0, VERIFY_TICK_MS);
	work_submit(&job->node->loop, &job->work, run_verify, on_verified);
}

void images_reply_unreadable(struct http_exchange *x, int code)
{
	http_reply_problem(x, 503, "cannot be read now: %s", strerror(-code));
}

void images_serve_path(struct http_exchange *x, const char *path, const char *type)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 && errno != ENOENT) {
		images_reply_unreadable(x, -errno);
		return;
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			(void)close(fd);
		http_reply_problem(x, 404, "there is no such file");
		return;
	}
	http_reply_file(x, fd, (uint64_t)st.st_size, type);
}

bool images_only_imported(const struct node *n)
{
	return n->program->tells_imported_apart &&
	       n->config->software_update.access_mode == ACCESS_OFFLINE;
}

void images_serve_index(struct http_exchange *x)
{
	char path[PATH_MAX];

	if (images_only_imported(node_of(x))) {
		http_reply_json(x, 200, repository_imported_index(node_of(x)->repository));
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/index.json",
		       repository_directory(node_of(x)->repository));
	images_serve_path(x, path, "application/json");
}

static bool offers(const struct image *image, const char *file)
{
	return strcmp(file, image->file) == 0 || strcmp(file, "manifest.jws") == 0 ||
	       (image->chunks.file[0] && strcmp(file, image->chunks.file) == 0);
}

void images_serve_file(struct http_exchange *x)
{
	struct node *n = node_of(x);
	const char *file = http_exchange_parameter(x, "file");
	const struct image *image =
		repository_find(n->repository, http_exchange_parameter(x, "version"));
	char path[PATH_MAX];

	if (!image || (images_only_imported(n) && !image->imported) || !offers(image, file)) {
		http_reply_problem(x, 404, "there is no such file");
		return;
	}
	if (strcmp(file, image->file) == 0)
		repository_use(n->repository, image->version, time(NULL));
	(void)snprintf(path, sizeof(path), "%s/%s/%s", repository_directory(n->repository),
		       image->version, file);
	images_serve_path(x, path,
			  strcmp(file, "manifest.jws") == 0 ? "application/jose"
							    : "application/octet-stream");
}
