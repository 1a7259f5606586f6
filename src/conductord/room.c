/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/room.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log_events.h"
#include "conductord/rollouts.h"
#include "conductord/room_rules.h"
#include "node/node.h"

static bool is_kept(const struct node *n, const struct rollouts *r, const struct image *image)
{
	const struct download *d = download_list_find(n->downloads, image->version);

	return image->imported || rollouts_name(r, image->version) ||
	       claims_have(&n->claims, image->version) ||
	       (d && !engine_state_is_ended(download_state(d)));
}

/* Of what is not an image yet, or was given up; also that keeps its room on disk. */
static uint64_t unfinished_bytes(const struct node *n, const struct download *except)
{
	uint64_t bytes = 0;

	for (const struct download *d = download_list_first(n->downloads); d; d = d->next)
		if (d != except && download_state(d) != ENGINE_COMPLETE)
			bytes += d->manifest.size;
	return bytes;
}

static int say_full(const struct node *n, uint64_t size, uint64_t unfinished, struct err *err)
{
	uint64_t images = 0;

	for (size_t i = 0; i < repository_count(n->repository); i++)
		images += repository_at(n->repository, i)->size;
	return err_set(err, -ENOSPC,
		       "no room: the image has %" PRIu64 " bytes, repository/max-size is %" PRIu64
		       ", and the images that are there (%" PRIu64 " bytes, %" PRIu64
		       " more of unfinished downloads) may not go all: they were imported, are "
		       "named by a rollout (as all are while the registry does not answer) or are "
		       "being served. Delete images, or raise it",
		       size, n->config->software_update.repository_max_bytes, images, unfinished);
}

static void let_go(const struct download *d, const struct image *image, struct image_names *going)
{
	char *version = going->versions[going->n++];

	memcpy(version, image->version, sizeof(going->versions[0]));
	log_event(LOG_IMAGE_DELETED, &(struct log_fields){.version = version},
		  "image %s is deleted: %s needs its room (repository/max-size)", version,
		  d->version);
}

static int choose(struct node *n, const struct rollouts *r, const struct download *d, uint64_t size,
		  struct room_image *images, struct image_names *ret_going, struct err *err)
{
	const size_t count = repository_count(n->repository);
	const uint64_t unfinished = unfinished_bytes(n, d);

	for (size_t i = 0; i < count; i++) {
		const struct image *image = repository_at(n->repository, i);

		images[i] = (struct room_image){.size = image->size,
						.used_s = image->used_s,
						.is_kept = is_kept(n, r, image)};
	}
	if (!room_choose(images, count, size + unfinished,
			 n->config->software_update.repository_max_bytes, time(NULL)))
		return say_full(n, size, unfinished, err);
	for (size_t i = 0; i < count; i++)
		if (images[i].goes)
			let_go(d, repository_at(n->repository, i), ret_going);
	for (size_t i = 0; i < ret_going->n; i++)
		repository_forget(n->repository, ret_going->versions[i]);
	return 0;
}

int room_make(struct node *n, const struct rollouts *r, const struct download *d, uint64_t size,
	      struct image_names *ret_going, struct err *err)
{
	const size_t count = repository_count(n->repository);
	struct room_image *images;
	struct image_names going = {0};
	int rc;

	if (n->config->software_update.repository_max_bytes == 0)
		return 0;
	images = calloc(count + 1, sizeof(*images));
	going.versions = calloc(count + 1, sizeof(*going.versions));
	rc = images && going.versions ? choose(n, r, d, size, images, &going, err)
				      : err_set(err, -ENOMEM, "out of memory");
	free(images);
	if (rc == 0)
		*ret_going = going;
	else
		free(going.versions);
	return rc;
}
