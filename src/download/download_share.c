/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/download_share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

bool download_shares(const struct download *d)
{
	const struct engine *e = &d->engine;

	return e->has_image && e->disk == DISK_READY && !engine_state_is_ended(e->state) &&
	       !d->renewing && !d->discarding;
}

void download_shared_manifest(const struct download *d, char ret_path[PATH_MAX])
{
	(void)snprintf(ret_path, PATH_MAX, "%s/manifest.jws", d->directory);
}

void download_shared_chunks(const struct download *d, char ret_path[PATH_MAX])
{
	(void)snprintf(ret_path, PATH_MAX, "%s/" DOWNLOAD_CHUNKS_FILE, d->directory);
}

struct span download_shared_pieces(const struct download *d)
{
	const struct picker *p = &d->engine.picker;

	return span_of(p->verified, piece_bits_size(p->n_pieces));
}

bool download_shares_range(const struct download *d, uint64_t first, uint64_t length)
{
	const struct picker *p = &d->engine.picker;
	uint32_t last = (uint32_t)((first + length - 1) / p->piece_size);

	for (uint32_t piece = (uint32_t)(first / p->piece_size); piece <= last; piece++)
		if (!picker_has(p, piece))
			return false;
	return true;
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int download_open_shared(const struct download *d)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s.part", d->directory, d->manifest.file);
	fd = open_file(path);
	if (fd != -ENOENT)
		return fd;
	/* It is just being published. */
	(void)snprintf(path, sizeof(path), "%s/%s/%s", repository_directory(d->home->repository),
		       d->version, d->manifest.file);
	return open_file(path);
}
