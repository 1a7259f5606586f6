/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies what other images of the node have of pieces, so that it is not fetched.
 * It begins when the chunk index is there, and runs on the thread pool beside the requests, a few
 * pieces at a time: what they brought is verified by their digests, and goes to the journal.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"

/* Bytes of one job: a pause or the daemon's end waits for it. */
#define JOB_BYTES       (8u << 20)
/* So many pieces that are not in the journal yet are waited for. */
#define UNSYNCED_PIECES 512u

static struct download *download_of(struct work *work)
{
	return container_of(work, struct download, fill.work);
}

static bool may_run(const struct download *d)
{
	return d->engine.state == ENGINE_DOWNLOADING && d->engine.disk == DISK_READY &&
	       d->chunks == CHUNKS_THERE && !d->closing && !d->discarding;
}

static void release(struct download *d)
{
	fill_release(&d->fill.fill);
	fill_held_release(&d->fill.held);
}

static void end(struct download *d)
{
	engine_fill_end(&d->engine);
	release(d);
	d->fill.state = FILL_OVER;
}

void download_fill_forget(struct download *d)
{
	release(d);
	d->fill.state = FILL_NOT_BEGUN;
}

static void copy_pieces(struct work *work)
{
	struct download *d = download_of(work);

	d->fill.right = 0;
	d->fill.held.n = 0;
	for (uint32_t i = 0; i < d->fill.n && !d->disk.stop; i++)
		if (fill_piece(&d->fill.fill, &d->manifest, &d->file, d->fill.first + i,
			       &d->fill.held))
			d->fill.right |= UINT32_C(1) << i;
}

static int note_pieces(struct download *d)
{
	int rc = 0;

	for (uint32_t i = 0; i < d->fill.n && rc == 0; i++)
		if (d->fill.right >> i & 1)
			rc = download_note_filled(d, d->fill.first + i);
	return rc;
}

static void on_copied(struct work *work)
{
	struct download *d = download_of(work);
	struct err err;
	int rc = note_pieces(d);

	d->fill.busy = false;
	/* The record is saved, too: else a kill would have what was filled counted as fetched. */
	if (d->fill.right) {
		download_want(d, DISK_TASK_SYNC);
		download_want(d, DISK_TASK_SAVE);
	}
	download_deliver(d, &(struct engine_event){.type = EVENT_FILLED,
						   .filled.first = d->fill.first,
						   .filled.n = d->fill.n,
						   .filled.right = d->fill.right,
						   .filled.held = d->fill.held.runs,
						   .filled.n_held = d->fill.held.n});
	if (rc < 0) {
		(void)err_set(&err, rc, "out of memory");
		download_fail_locally(d, &err, false);
	}
	download_settle(d);
}

static void copy_next(struct download *d)
{
	uint32_t max = MAX(JOB_BYTES / d->manifest.piece_size, 1);

	if (d->n_unsynced > UNSYNCED_PIECES)
		return;
	d->fill.n = engine_fill_take(&d->engine, max, &d->fill.first);
	if (d->fill.n == 0) {
		end(d);
		download_tell(d, EVENT_TICK); /* a whole file may be asked for now */
		return;
	}
	d->fill.busy = true;
	work_submit(d->home->loop, &d->fill.work, copy_pieces, on_copied);
}

static void look_up(struct work *work)
{
	struct download *d = download_of(work);
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/" DOWNLOAD_CHUNKS_FILE, d->directory);
	d->fill.err.code = 0;
	(void)fill_open(&d->fill.fill, &d->manifest, path, &d->fill.err);
}

static void on_looked_up(struct work *work)
{
	struct download *d = download_of(work);

	d->fill.busy = false;
	d->fill.state = FILL_RUNS;
	if (d->fill.err.code < 0)
		download_chunks_missing(d, &d->fill.err);
	if (d->fill.err.code < 0 || d->fill.fill.n_found == 0 || !may_run(d) ||
	    engine_fill_begin(&d->engine, d->fill.fill.found) < 0)
		end(d);
	if (!may_run(d))
		d->fill.state = FILL_NOT_BEGUN;
	download_settle(d);
	download_fill_follow(d);
}

static void begin(struct download *d)
{
	struct repository *r = d->home->repository;

	d->fill.state = FILL_OVER;
	for (size_t i = 0; i < repository_count(r); i++) {
		const struct image *image = repository_at(r, i);

		if (image->chunks.file[0] &&
		    fill_add_seed(&d->fill.fill, repository_directory(r), image->version,
				  image->file, image->size, &image->chunks) < 0) {
			fill_release(&d->fill.fill);
			return; /* without memory it is fetched */
		}
	}
	if (d->fill.fill.n_seeds == 0)
		return;
	d->fill.state = FILL_OPENING;
	d->fill.busy = true;
	work_submit(d->home->loop, &d->fill.work, look_up, on_looked_up);
}

void download_fill_follow(struct download *d)
{
	if (d->fill.busy)
		return;
	if (!may_run(d)) {
		if (d->fill.state == FILL_RUNS) {
			end(d);
			d->fill.state = FILL_NOT_BEGUN; /* it is filled when the download goes on */
		}
		return;
	}
	if (d->fill.state == FILL_NOT_BEGUN)
		begin(d);
	else if (d->fill.state == FILL_RUNS)
		copy_next(d);
}
