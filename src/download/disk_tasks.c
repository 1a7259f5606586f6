/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The disk jobs of a download, one at a time on the thread pool.
 *
 *	open     what is there: manifest, journal, .part
 *	check    hash what the journal claims
 *	prepare  a new manifest: make room for its image, by what goes for it, too
 *	sync     the data of verified pieces, and then their records
 *	chunks   the chunk index that has come
 *	finish   read the image back, publish it, remove the folder's rest
 *	discard  save, and remove all but these
 *	save     request.json, and now and then history.json
 *	close    sync, mark the journal clean, save
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "download/download_private.h"
#include "download/image/chunk_keep.h"

static void path_of(const struct download *d, const char *name, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s", d->directory, name);
}

static void close_files(struct download *d)
{
	if (d->map_is_open)
		piece_map_close(&d->map);
	if (d->file_is_open)
		image_file_close(&d->file);
	d->map_is_open = false;
	d->file_is_open = false;
}

/* Is the chunk index there, of an earlier run? */
static void find_chunk_index(const struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];
	char *index = NULL;
	struct err ignored;

	path_of(d, DOWNLOAD_CHUNKS_FILE, path);
	job->has_chunks = manifest_has_chunks(&job->manifest) &&
			  chunk_keep_read(path, &job->manifest.chunks, &index, &ignored) == 0;
	free(index);
}

/* The job's manifest becomes the download's, with its file and journal open. */
static int open_files(struct download *d, struct disk_job *job)
{
	bool existed = false;
	int rc;

	close_files(d);
	find_chunk_index(d, job);
	rc = image_file_open(&d->file, d->directory, job->manifest.file, job->manifest.size,
			     &existed, &job->err);
	if (rc < 0)
		return rc;
	d->file_is_open = true;
	image_file_keep_codes(&d->file, &job->manifest);
	rc = piece_map_open(&d->map, d->directory, job->manifest.digest, d->home->boot_id,
			    job->manifest.n_pieces, &job->found, &job->notice, &job->err);
	if (rc < 0)
		return rc;
	d->map_is_open = true;
	if (existed)
		return 0;
	/* The .part file is new, so whatever the journal claims, its data is not there. */
	memset(d->map.bits, 0, piece_bits_size(job->manifest.n_pieces));
	job->found = PIECE_MAP_NEW;
	return piece_map_restart(&d->map, d->map.bits, &job->err);
}

static int run_open(struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];
	int rc;

	job->found = PIECE_MAP_NEW;
	path_of(d, "manifest.jws", path);
	rc = file_read(path, MANIFEST_SIZE_MAX, &job->manifest_jws, &job->manifest_jws_size,
		       &job->err);
	if (rc == -ENOENT) {
		job->err.code = 0;
		return 0;
	}
	if (rc < 0)
		return rc;
	rc = manifest_parse(&job->manifest, job->keys.keys, job->keys.n,
			    span_of(job->manifest_jws, job->manifest_jws_size), d->version,
			    &job->err);
	if (rc < 0) {
		/* The key of the manifest may have been removed. Then another manifest of the same
		 * image takes its place. */
		(void)err_wrap(&job->err, "%s", path);
		job->notice = job->err;
		job->err.code = 0;
		return 0;
	}
	job->has_manifest = true;
	return open_files(d, job);
}

static int run_prepare(struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];
	int rc;

	for (size_t i = 0; i < job->going.n; i++) {
		rc = repository_remove_files(d->home->repository, job->going.versions[i],
					     &job->err);
		if (rc < 0)
			return rc;
	}
	/* If the new manifest names another file, the old .part would stay for ever. */
	if (d->file_is_open && strcmp(d->manifest.file, job->manifest.file) != 0)
		image_file_remove(&d->file);
	rc = open_files(d, job);
	if (rc < 0)
		return rc;
	job->has_manifest = true;
	path_of(d, "manifest.jws", path);
	return atomic_file_write(path, span_of(job->manifest_jws, job->manifest_jws_size), 0644,
				 &job->err);
}

/* Which of the claimed pieces are right in the file. */
static int check_pieces(struct download *d, const uint8_t *claimed, struct disk_job *job)
{
	_cleanup_(image_pieces_release) struct image_pieces pieces = {0};

	memset(job->checked, 0, piece_bits_size(d->manifest.n_pieces));
	for (uint32_t piece = 0; piece < d->manifest.n_pieces; piece++) {
		bool right;
		int rc;

		if (claimed && !piece_bits_has(claimed, piece))
			continue;
		if (job->stop)
			return 0;
		rc = image_file_check(&d->file, &d->manifest, piece, &pieces, &right, &job->err);
		if (rc < 0)
			return rc;
		if (right)
			piece_bits_set(job->checked, piece);
	}
	return 0;
}

static int run_check(struct download *d, struct disk_job *job)
{
	int rc = check_pieces(d, d->map.bits, job);

	if (rc < 0 || job->stop)
		return rc;
	return piece_map_restart(&d->map, job->checked, &job->err);
}

static int run_sync(struct download *d, struct disk_job *job)
{
	int rc = image_file_sync(&d->file, &job->err);

	if (rc < 0)
		return rc;
	return piece_map_append(&d->map, job->batch, job->n_batch, &job->err);
}

static bool goes_on(void *owner)
{
	const struct disk_job *job = owner;

	return !job->stop;
}

/* The index that has come; else the image itself gives it. Returns NULL if there is none. */
static char *obtain_chunk_index(struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];
	char *index = NULL;

	if (!manifest_has_chunks(&d->manifest))
		return NULL;
	path_of(d, DOWNLOAD_CHUNKS_FILE, path);
	(void)chunk_keep_obtain(&d->file, &d->manifest, path, goes_on, job, &index, &job->without);
	return index;
}

static int run_chunks(struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];

	path_of(d, DOWNLOAD_CHUNKS_FILE, path);
	(void)atomic_file_write(path, span_of(job->chunks, d->manifest.chunks.size), 0644,
				&job->without);
	return 0; /* the image comes all the same */
}

static int publish(struct download *d, struct disk_job *job)
{
	struct image_papers papers;
	char path[PATH_MAX];
	char *jws = NULL;
	char *index;
	size_t size;
	int rc;

	path_of(d, "manifest.jws", path);
	rc = file_read(path, MANIFEST_SIZE_MAX, &jws, &size, &job->err);
	if (rc < 0)
		return rc;
	index = obtain_chunk_index(d, job);
	papers = (struct image_papers){
		.jws = span_of(jws, size),
		.chunk_index = span_of(index, index ? d->manifest.chunks.size : 0),
		.without = &job->without,
	};
	rc = image_file_publish(&d->file, &d->manifest, &papers,
				repository_directory(d->home->repository), &job->err);
	free(index);
	free(jws);
	return rc;
}

static uint32_t count_wrong(const struct download *d, const uint8_t *right, uint32_t *ret_first)
{
	uint32_t n = 0;

	for (uint32_t piece = d->manifest.n_pieces; piece-- > 0;) {
		if (piece_bits_has(right, piece))
			continue;
		*ret_first = piece;
		n++;
	}
	return n;
}

/* Each piece was right when it came. Since then others could write to the file, before this daemon
 * started too: what the journal claims, and what this daemon wrote, is read again before anybody
 * boots from it. The journal is left with what is right. */
static int read_back(struct download *d, struct disk_job *job)
{
	uint32_t first = 0;
	uint32_t wrong;
	int rc = image_file_sync(&d->file, &job->err);

	job->finished = FINISH_DONE;
	memset(job->checked, 0, piece_bits_size(d->manifest.n_pieces));
	if (rc == 0 && image_file_is_in_place(&d->file))
		rc = check_pieces(d, NULL, job);
	if (rc < 0)
		return rc;
	/* If another file is at the path by now, nothing in it is believed. */
	if (!job->stop && !image_file_is_in_place(&d->file))
		memset(job->checked, 0, piece_bits_size(d->manifest.n_pieces));
	wrong = count_wrong(d, job->checked, &first);
	if (job->stop && wrong > 0)
		job->finished = FINISH_STOPPED;
	else if (wrong > 0)
		job->finished = FINISH_DAMAGED;
	if (job->finished != FINISH_DAMAGED)
		return 0;
	(void)err_set(&job->notice, -EBADMSG,
		      "%s was changed or damaged after it was written: %" PRIu32 " of %" PRIu32
		      " pieces are not right any more, the first at byte %" PRIu64
		      ", and are to be fetched again",
		      d->file.path, wrong, d->manifest.n_pieces,
		      manifest_piece_first(&d->manifest, first));
	return piece_map_restart(&d->map, job->checked, &job->err);
}

static int run_finish(struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];
	int rc = read_back(d, job);

	if (rc < 0 || job->finished != FINISH_DONE)
		return rc;
	rc = publish(d, job);
	if (rc < 0)
		return rc;
	d->file_is_open = false;
	close_files(d);
	path_of(d, "pieces", path);
	(void)unlink(path);
	path_of(d, DOWNLOAD_CHUNKS_FILE, path);
	(void)unlink(path);
	path_of(d, "manifest.jws", path);
	(void)unlink(path);
	/* The image is there all the same; whoever publishes next, or the next start, writes it. */
	(void)repository_write_index(d->home->repository, &job->notice);
	return 0;
}

/* The download does without it: no disk error ends a download for that. */
static void save_history(struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];
	struct err err;

	if (!job->history)
		return;
	path_of(d, "history.json", path);
	job->history_failed = atomic_file_write(path, span_of_string(job->history), 0644, &err) < 0;
}

static int run_save(struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];
	int rc;

	path_of(d, "request.json", path);
	rc = atomic_file_write(path, span_of_string(job->record), 0644, &job->err);
	if (rc == 0)
		save_history(d, job);
	return rc;
}

static int run_discard(struct download *d, struct disk_job *job)
{
	char path[PATH_MAX];

	/* First request.json says that the download is discarded; else a start of the daemon in
	 * between would go on with it. If the disk is too full for that, we discard nevertheless,
	 * since this makes room. */
	(void)run_save(d, job);
	/* The manifest goes last: what is left after a power cut is still understood. */
	if (d->map_is_open)
		piece_map_close(&d->map);
	d->map_is_open = false;
	path_of(d, "pieces", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set_errno(&job->err, -errno, "remove %s", path);
	if (d->file_is_open)
		image_file_remove(&d->file);
	d->file_is_open = false;
	image_file_remove_stale(d->directory);
	path_of(d, DOWNLOAD_CHUNKS_FILE, path);
	(void)unlink(path);
	path_of(d, "manifest.jws", path);
	(void)unlink(path);
	if (job->also_image)
		return repository_remove_files(d->home->repository, d->version, &job->err);
	return 0;
}

static int run_close(struct download *d, struct disk_job *job)
{
	int rc = 0;

	if (d->map_is_open && job->n_batch > 0)
		rc = run_sync(d, job);
	if (d->map_is_open && rc == 0 && d->engine.disk == DISK_READY)
		rc = piece_map_mark_clean(&d->map, &job->err);
	close_files(d);
	return rc < 0 ? rc : run_save(d, job);
}

void disk_tasks_run(struct work *work)
{
	static int (*const tasks[])(struct download * d, struct disk_job * job) = {
		[DISK_TASK_OPEN] = run_open,       [DISK_TASK_CHECK] = run_check,
		[DISK_TASK_PREPARE] = run_prepare, [DISK_TASK_SYNC] = run_sync,
		[DISK_TASK_FINISH] = run_finish,   [DISK_TASK_DISCARD] = run_discard,
		[DISK_TASK_SAVE] = run_save,       [DISK_TASK_CLOSE] = run_close,
		[DISK_TASK_CHUNKS] = run_chunks,
	};
	struct download *d = container_of(work, struct download, disk.work);

	/* A task that returns 0 has succeeded, also if a step that it could do without has filled
	 * err. */
	if (tasks[d->disk.task](d, &d->disk) == 0)
		d->disk.err.code = 0;
}
