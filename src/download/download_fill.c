/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies what the node has of pieces, so that it is not fetched.
 * It begins when the chunk index is there, and runs on the thread pool beside the requests, a few
 * pieces at a time: what they brought is verified by their digests, and goes to the journal. First
 * come other images, then the configuration's seeds: these are cut, and after each step what was
 * found is copied.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/low_priority.h"
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

static void cut_seeds(void *owner)
{
	struct download *d = owner;

	d->fill.cut_more = fill_scan(&d->fill.fill, &d->manifest, &d->fill.err);
}

static void cut(struct work *work)
{
	low_priority_run(cut_seeds, download_of(work));
}

static void on_cut(struct work *work)
{
	struct download *d = download_of(work);

	d->fill.busy = false;
	d->fill.more = d->fill.cut_more;
	if (d->fill.err.code < 0)
		log_event(LOG_SEED_UNUSABLE,
			  &(struct log_fields){.version = d->version, .reason = d->fill.err.text},
			  "download %s: seed: %s", d->version, d->fill.err.text);
	if (may_run(d) && d->fill.fill.n_found > 0 &&
	    engine_fill_begin(&d->engine, d->fill.fill.found) == 0)
		d->fill.state = FILL_RUNS;
	else if (!d->fill.more)
		end(d);
	download_settle(d);
	download_fill_follow(d);
}

static void cut_next(struct download *d)
{
	d->fill.busy = true;
	work_submit(d->home->loop, &d->fill.work, cut, on_cut);
}

static void copy_next(struct download *d)
{
	uint32_t max = MAX(JOB_BYTES / d->manifest.piece_size, 1);

	if (d->n_unsynced > UNSYNCED_PIECES)
		return;
	d->fill.n = engine_fill_take(&d->engine, max, &d->fill.first);
	if (d->fill.n == 0 && d->fill.more) {
		d->fill.state = FILL_CUTS;
		cut_next(d);
		return;
	}
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
	d->fill.more = d->fill.fill.n_looked < d->fill.fill.n_seeds;
	if (d->fill.err.code < 0 || (d->fill.fill.n_found == 0 && !d->fill.more) || !may_run(d) ||
	    engine_fill_begin(&d->engine, d->fill.fill.found) < 0)
		end(d);
	if (!may_run(d))
		d->fill.state = FILL_NOT_BEGUN;
	download_settle(d);
	download_fill_follow(d);
}

static int add_images(struct download *d)
{
	struct repository *r = d->home->repository;

	for (size_t i = 0; i < repository_count(r); i++) {
		const struct image *image = repository_at(r, i);

		if (image->chunks.file[0] &&
		    fill_add_seed(&d->fill.fill, repository_directory(r), image->version,
				  image->file, image->size, &image->chunks) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_files(struct download *d)
{
	const struct config_software_update *update = &d->home->config->software_update;
	int rc = 0;

	for (size_t i = 0; i < update->n_seeds && rc == 0; i++)
		rc = fill_add_file(&d->fill.fill, update->seeds[i]);
	return rc;
}

static void begin(struct download *d)
{
	d->fill.state = FILL_OVER;
	/* Without memory it is fetched. */
	if (add_images(d) < 0 || add_files(d) < 0 || d->fill.fill.n_seeds == 0) {
		fill_release(&d->fill.fill);
		return;
	}
	d->fill.state = FILL_OPENING;
	d->fill.busy = true;
	work_submit(d->home->loop, &d->fill.work, look_up, on_looked_up);
}

static bool has_seeds(const struct download *d)
{
	const struct repository *r = d->home->repository;

	for (size_t i = 0; i < repository_count(r); i++)
		if (repository_at(r, i)->chunks.file[0])
			return true;
	return d->home->config->software_update.n_seeds > 0;
}

void download_fill_expect(struct download *d)
{
	engine_fill_expect(&d->engine, d->chunks != CHUNKS_NONE && has_seeds(d));
}

/* May pieces be found yet that can be filled? */
static bool is_expected(const struct download *d)
{
	if (d->chunks != CHUNKS_THERE)
		return d->chunks != CHUNKS_NONE || d->disk.chunks;
	return d->fill.state == FILL_NOT_BEGUN || d->fill.state == FILL_OPENING ||
	       (d->fill.state != FILL_OVER && d->fill.more);
}

static void tell_if_unexpected(struct download *d)
{
	if (!d->engine.fill_expected || d->engine.state != ENGINE_DOWNLOADING || is_expected(d))
		return;
	engine_fill_expect(&d->engine, false);
	download_tell(d, EVENT_TICK);
}

static void follow(struct download *d)
{
	if (d->fill.busy)
		return;
	if (!may_run(d)) {
		if (d->fill.state == FILL_RUNS || d->fill.state == FILL_CUTS) {
			end(d);
			d->fill.state = FILL_NOT_BEGUN; /* it is filled when the download goes on */
		}
		return;
	}
	if (d->fill.state == FILL_NOT_BEGUN)
		begin(d);
	else if (d->fill.state == FILL_RUNS)
		copy_next(d);
	else if (d->fill.state == FILL_CUTS)
		cut_next(d);
}

void download_fill_follow(struct download *d)
{
	follow(d);
	tell_if_unexpected(d);
}
