/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/held_runs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

/* The number of the first run that ends behind the byte `at`. */
static size_t number_from(const struct held_runs *h, uint64_t at)
{
	size_t low = 0;
	size_t high = h->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->runs[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int make_room(struct held_runs *h, size_t n)
{
	size_t room = MAX(2 * h->room, h->n + n);
	struct byte_range *larger;

	if (h->n + n <= h->room)
		return 0;
	larger = realloc(h->runs, room * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	h->runs = larger;
	h->room = room;
	return 0;
}

int held_runs_add(struct held_runs *h, const struct byte_range *runs, size_t n)
{
	size_t at;

	if (n == 0)
		return 0;
	if (make_room(h, n) < 0)
		return -ENOMEM;
	at = number_from(h, runs[0].first);
	memmove(h->runs + at + n, h->runs + at, (h->n - at) * sizeof(*h->runs));
	memcpy(h->runs + at, runs, n * sizeof(*runs));
	h->n += n;
	for (size_t i = 0; i < n; i++)
		h->bytes += runs[i].end - runs[i].first;
	return 0;
}

const struct byte_range *held_runs_from(const struct held_runs *h, uint64_t at)
{
	size_t number = number_from(h, at);

	return number < h->n ? &h->runs[number] : NULL;
}

const struct byte_range *held_runs_end(const struct held_runs *h)
{
	return h->runs ? h->runs + h->n : NULL;
}

uint64_t held_runs_drop(struct held_runs *h, const struct byte_range *range)
{
	size_t first = number_from(h, range->first);
	size_t end = first;
	uint64_t bytes = 0;

	while (end < h->n && h->runs[end].first < range->end) {
		bytes += h->runs[end].end - h->runs[end].first;
		end++;
	}
	if (end == first)
		return 0;
	memmove(h->runs + first, h->runs + end, (h->n - end) * sizeof(*h->runs));
	h->n -= end - first;
	h->bytes -= bytes;
	return bytes;
}

void held_runs_release(struct held_runs *h)
{
	free(h->runs);
	memset(h, 0, sizeof(*h));
}
