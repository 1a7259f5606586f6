/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loop's side of the disk tasks: which is next, what it works with, and its result. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"

static int add_unsynced(struct download *d, uint32_t piece)
{
	if (d->n_unsynced == d->room_unsynced) {
		size_t room = d->room_unsynced ? 2 * d->room_unsynced : 64;
		uint32_t *larger = realloc(d->unsynced, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		d->unsynced = larger;
		d->room_unsynced = room;
	}
	if (d->n_unsynced == 0)
		d->unsynced_since_ms = download_clock_ms();
	d->unsynced[d->n_unsynced++] = piece;
	return 0;
}

int download_note_filled(struct download *d, uint32_t piece)
{
	return add_unsynced(d, piece);
}

int download_note_verified(struct download *d, uint32_t piece)
{
	int rc = add_unsynced(d, piece);

	if (rc < 0)
		return rc;
	d->unsynced_bytes += manifest_piece_length(&d->manifest, piece);
	receive_buffers_hold(d->home->buffers, manifest_piece_length(&d->manifest, piece));
	/* A piece that is verified after a pause is synced at once: there may be no later sync. */
	if (d->unsynced_bytes >= SYNC_BYTES || d->engine.state != ENGINE_DOWNLOADING)
		download_want(d, DISK_TASK_SYNC);
	return 0;
}

static void take_batch(struct download *d)
{
	d->disk.batch = d->unsynced;
	d->disk.n_batch = d->n_unsynced;
	d->disk.batch_bytes = d->unsynced_bytes;
	d->unsynced = NULL;
	d->n_unsynced = 0;
	d->room_unsynced = 0;
	d->unsynced_bytes = 0;
}

static void drop_unsynced(struct download *d)
{
	receive_buffers_let_go(d->home->buffers, d->unsynced_bytes);
	d->n_unsynced = 0;
	d->unsynced_bytes = 0;
}

static void drop_batch(struct download *d)
{
	struct disk_job *job = &d->disk;

	receive_buffers_let_go(d->home->buffers, job->batch_bytes);
	free(job->batch);
	job->batch = NULL;
	job->n_batch = 0;
	job->batch_bytes = 0;
}

static void drop_manifest(struct disk_job *job)
{
	manifest_release(&job->manifest);
	free(job->manifest_jws);
	job->manifest_jws = NULL;
	job->has_manifest = false;
}

static int load_record(struct download *d)
{
	d->saved_ms = download_clock_ms();
	d->disk.record = download_record_text(d);
	d->disk.attempt = d->engine.attempt;
	d->disk.history = download_history_text(d, d->disk.task == DISK_TASK_CLOSE);
	d->disk.history_failed = true;
	return d->disk.record ? 0 : err_set(&d->disk.err, -ENOMEM, "out of memory");
}

static int make_checked(struct download *d)
{
	d->disk.checked = calloc(piece_bits_size(d->manifest.n_pieces), 1);
	return d->disk.checked ? 0 : err_set(&d->disk.err, -ENOMEM, "out of memory");
}

/* Gives the job what it needs of the loop thread's state. Returns 0, or why it cannot run. */
static int load_job(struct download *d, enum disk_task task)
{
	struct disk_job *job = &d->disk;
	struct err warning;

	switch (task) {
	case DISK_TASK_OPEN:
		drop_manifest(job);
		drop_unsynced(d);
		return trusted_keys_load(&job->keys, d->home->config, &warning, &job->err);
	case DISK_TASK_CHECK:
		return make_checked(d);
	case DISK_TASK_SYNC:
		take_batch(d);
		return 0;
	case DISK_TASK_FINISH:
		d->file.marked = d->home->marks_downloaded && !download_is_imported(d);
		return make_checked(d);
	case DISK_TASK_DISCARD:
		drop_unsynced(d);
		job->also_image = d->renewing;
		return load_record(d);
	case DISK_TASK_CLOSE:
		take_batch(d);
		return load_record(d);
	case DISK_TASK_SAVE:
		return load_record(d);
	default:
		return 0;
	}
}

static int give_engine(struct download *d, const uint8_t *verified)
{
	const struct engine_image image = {
		.size = d->manifest.size,
		.piece_size = d->manifest.piece_size,
		.digest = d->manifest.digest,
	};

	return engine_set_image(&d->engine, &image, verified);
}

/* The manifest that was prepared or found is the download's from now on. */
static int adopt_manifest(struct download *d)
{
	struct disk_job *job = &d->disk;
	uint8_t *none = NULL;
	int rc;

	if (!job->has_manifest)
		return 0;
	manifest_release(&d->manifest);
	d->manifest = job->manifest;
	download_chunks_adopt(d, job->has_chunks);
	memset(&job->manifest, 0, sizeof(job->manifest));
	drop_manifest(job);
	if (job->found != PIECE_MAP_CHECK)
		return give_engine(d, d->map.bits);
	none = calloc(piece_bits_size(d->manifest.n_pieces), 1);
	rc = none ? give_engine(d, none) : -ENOMEM;
	free(none);
	return rc;
}

static int adopt_opened(struct download *d)
{
	int rc;

	engine_forget_image(&d->engine);
	rc = adopt_manifest(d);
	if (rc == 0)
		download_record_catch_up(d);
	return rc;
}

/* What a job that succeeded has found becomes the download's. */
static int adopt_result(struct download *d, enum disk_task task)
{
	switch (task) {
	case DISK_TASK_OPEN:
		return adopt_opened(d);
	case DISK_TASK_PREPARE:
		return adopt_manifest(d);
	case DISK_TASK_CHECK:
		return give_engine(d, d->disk.checked);
	default:
		return 0;
	}
}

static void free_job(struct download *d, enum disk_task task)
{
	struct disk_job *job = &d->disk;

	if (task == DISK_TASK_OPEN || task == DISK_TASK_PREPARE)
		drop_manifest(job);
	if (task == DISK_TASK_PREPARE) {
		free(job->going.versions);
		job->going = (struct image_names){0};
	}
	if (task == DISK_TASK_SYNC || task == DISK_TASK_CLOSE)
		drop_batch(d);
	trusted_keys_release(&job->keys);
	if (job->history)
		download_history_written(d, job->history_failed);
	free(job->checked);
	free(job->record);
	free(job->history);
	if (task == DISK_TASK_CHUNKS) {
		free(job->chunks);
		job->chunks = NULL;
		download_chunks_written(d, job->without.code == 0);
	}
	job->checked = NULL;
	job->record = NULL;
	job->history = NULL;
}

static void unload_job(struct download *d, enum disk_task task)
{
	int rc = d->disk.err.code == 0 ? adopt_result(d, task) : 0;

	if (rc < 0)
		(void)err_set(&d->disk.err, rc, "out of memory");
	free_job(d, task);
}

/* Tells the repository, and who waits for a discard, what the finished job means to them. */
static void tell_others(struct download *d, enum disk_task task)
{
	switch (task) {
	case DISK_TASK_FINISH:
		if (d->disk.err.code < 0 || d->disk.finished != FINISH_DONE)
			return;
		drop_unsynced(d); /* the image was synced as a whole */
		repository_add(d->home->repository, &d->manifest, !d->file.marked);
		return;
	case DISK_TASK_DISCARD:
		/* The download was asked for anew while the job ran: it runs once more, and removes
		 * the image too. */
		if (d->renewing && !d->disk.also_image)
			return;
		if (d->disk.also_image)
			repository_forget(d->home->repository, d->version);
		download_discarded(d);
		return;
	default:
		return;
	}
}

/* Tells the engine what the finished job means to it. */
static void tell_engine(struct download *d, enum disk_task task)
{
	struct engine_event event = {0};

	if (d->disk.notice.code < 0)
		log_event(
			task == DISK_TASK_FINISH ? LOG_DISK_PROBLEM : LOG_JOURNAL_DISCARDED,
			&(struct log_fields){.version = d->version, .reason = d->disk.notice.text},
			"download %s: %s", d->version, d->disk.notice.text);
	if (d->disk.without.code < 0)
		download_chunks_missing(d, &d->disk.without);
	if (d->disk.err.code < 0) {
		bool fatal = task == DISK_TASK_PREPARE && d->disk.err.code == -ENOSPC;

		download_fail_locally(d, &d->disk.err, fatal);
		return;
	}
	switch (task) {
	case DISK_TASK_OPEN:
		event.type = EVENT_OPENED;
		event.opened.unchecked = d->disk.found == PIECE_MAP_CHECK;
		break;
	case DISK_TASK_CHECK:
		event.type = EVENT_CHECKED;
		break;
	case DISK_TASK_PREPARE:
		event.type = EVENT_PREPARED;
		break;
	case DISK_TASK_FINISH:
		if (d->disk.finished == FINISH_STOPPED)
			return;
		event.type = d->disk.finished == FINISH_DONE ? EVENT_FINISHED : EVENT_DAMAGED;
		event.reason = d->disk.notice.text;
		break;
	case DISK_TASK_SAVE:
		event.type = EVENT_RECORDED;
		event.recorded.attempt = d->disk.attempt;
		break;
	default:
		return;
	}
	download_deliver(d, &event);
}

static void on_job_done(struct work *work)
{
	struct download *d = container_of(work, struct download, disk.work);
	enum disk_task task = d->disk.task;

	unload_job(d, task);
	if (task == DISK_TASK_CLOSE) {
		if (d->disk.err.code < 0)
			log_event(LOG_DISK_PROBLEM,
				  &(struct log_fields){.version = d->version,
						       .reason = d->disk.err.text},
				  "download %s: %s", d->version, d->disk.err.text);
		d->disk.busy = false;
		disk_tasks_closed(d);
		return;
	}
	/* The job still counts as busy here, so a job that is asked for meanwhile waits: it would
	 * overwrite the results of this one. */
	tell_others(d, task);
	tell_engine(d, task);
	d->disk.busy = false;
	download_settle(d);
	download_pump(d);
	download_fill_follow(d);
	if (download_is_recorded(d))
		d->home->recorded(d);
}

bool download_is_recorded(const struct download *d)
{
	const unsigned recording = 1u << DISK_TASK_SAVE | 1u << DISK_TASK_DISCARD;

	return !(d->disk.wanted & recording) && !(d->disk.busy && (1u << d->disk.task & recording));
}

static void submit_job(struct download *d, enum disk_task task);

static bool is_blocked(const struct download *d, enum disk_task task)
{
	/* Requests that are in flight still write to the file. */
	if (task == DISK_TASK_OPEN || task == DISK_TASK_CLOSE || task == DISK_TASK_DISCARD)
		return d->engine.in_flight > 0 || d->fill.busy;
	return task == DISK_TASK_PREPARE && d->fill.busy;
}

/* Was the job wanted, but there is nothing to do for it any more? */
static bool is_needless(const struct download *d, enum disk_task task)
{
	if (task == DISK_TASK_OPEN)
		return d->engine.disk != DISK_OPENING;
	if (task == DISK_TASK_DISCARD)
		return !d->discarding;
	if (task == DISK_TASK_CHUNKS)
		return !d->disk.chunks;
	return task == DISK_TASK_SYNC && d->n_unsynced == 0;
}

void download_pump(struct download *d)
{
	for (unsigned i = 0; i < DISK_TASK_COUNT && !d->disk.busy; i++) {
		enum disk_task task = (enum disk_task)i;

		if (!(d->disk.wanted & (1u << i)) || is_blocked(d, task))
			continue;
		d->disk.wanted &= ~(1u << i);
		if (is_needless(d, task))
			continue;
		submit_job(d, task);
	}
}

static void run_nothing(struct work *work)
{
	(void)work;
}

static void submit_job(struct download *d, enum disk_task task)
{
	struct disk_job *job = &d->disk;
	int rc;

	job->busy = true;
	job->task = task;
	job->err.code = 0;
	job->notice.code = 0;
	job->without.code = 0;
	if (task == DISK_TASK_CLOSE)
		d->closed_disk = true;
	if (task == DISK_TASK_FINISH)
		receive_buffers_trim(d->home->buffers); /* it reads up to 4 MiB of manifest */
	rc = load_job(d, task);
	/* A job that cannot run also ends on a later turn of the loop, as all jobs do. */
	work_submit(d->home->loop, &job->work, rc < 0 ? run_nothing : disk_tasks_run, on_job_done);
}

void download_want(struct download *d, enum disk_task task)
{
	if (d->closed_disk)
		return;
	d->disk.wanted |= 1u << task;
	download_pump(d);
}

void download_release_disk(struct download *d)
{
	/* The last job took the unsynced pieces, so they count in the receive_buffers no more:
	 * these may be gone already.
	 */
	assert(!d->disk.busy && d->unsynced_bytes == 0 && !d->disk.batch);
	drop_manifest(&d->disk);
	manifest_release(&d->manifest);
	free(d->unsynced);
	free(d->disk.going.versions);
	free(d->disk.chunks);
}
