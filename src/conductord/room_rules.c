/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/room_rules.h"

/* A clock that was set back does not keep an image for ever. */
static bool is_served(const struct room_image *image, int64_t now_s)
{
	return image->used_s <= now_s && now_s - image->used_s < ROOM_SERVED_S;
}

static struct room_image *oldest(struct room_image *images, size_t n, int64_t now_s)
{
	struct room_image *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (!images[i].goes && !images[i].is_kept && !is_served(&images[i], now_s) &&
		    (!found || images[i].used_s < found->used_s))
			found = &images[i];
	return found;
}

bool room_choose(struct room_image *images, size_t n, uint64_t need, uint64_t max, int64_t now_s)
{
	uint64_t total = need;

	for (size_t i = 0; i < n; i++) {
		images[i].goes = false;
		total += images[i].size;
	}
	while (total > max) {
		struct room_image *next = oldest(images, n, now_s);

		if (!next) {
			for (size_t i = 0; i < n; i++)
				images[i].goes = false;
			return false;
		}
		next->goes = true;
		total -= next->size;
	}
	return true;
}
