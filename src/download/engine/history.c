/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"

static const char *const kind_names[HISTORY_KIND_COUNT] = {
	[HISTORY_FAILOVER] = "failover",   [HISTORY_SOURCE_LEFT] = "source-left",
	[HISTORY_MISMATCH] = "mismatch",   [HISTORY_WAITING_RETRY] = "waiting-retry",
	[HISTORY_PAUSED] = "paused",       [HISTORY_FAILED] = "failed",
	[HISTORY_CANCELLED] = "cancelled", [HISTORY_COMPLETE] = "complete",
};

const char *history_kind_name(enum history_kind kind)
{
	return kind_names[kind];
}

bool history_kind_from_name(const char *name, enum history_kind *ret)
{
	for (unsigned i = 0; i < HISTORY_KIND_COUNT; i++) {
		if (strcmp(name, kind_names[i]) != 0)
			continue;
		*ret = (enum history_kind)i;
		return true;
	}
	return false;
}

void history_init(struct history *h)
{
	memset(h, 0, sizeof(*h));
	h->resolution_s = 1;
}

void history_release(struct history *h)
{
	free(h->points);
	free(h->marks);
	memset(h, 0, sizeof(*h));
}

/* Room for n items of size, and one more where it is needed soon. */
static bool reserve(void **items, size_t *room, size_t n, size_t size)
{
	size_t wanted = MAX(n, MIN(2 * *room, n + 64));
	void *larger;

	if (n <= *room)
		return true;
	larger = realloc(*items, wanted * size);
	if (!larger)
		return false;
	*items = larger;
	*room = wanted;
	return true;
}

bool history_reserve(struct history *h, size_t n_points, size_t n_marks)
{
	void *points = h->points;
	void *marks = h->marks;
	bool done = reserve(&points, &h->room_points, n_points, sizeof(*h->points));

	h->points = points;
	done = done && reserve(&marks, &h->room_marks, n_marks, sizeof(*h->marks));
	h->marks = marks;
	return done;
}

static int64_t newest(const struct history *h)
{
	int64_t at_s = 0;

	if (h->n_points > 0)
		at_s = h->points[h->n_points - 1].at_s;
	if (h->n_marks > 0)
		at_s = MAX(at_s, h->marks[h->n_marks - 1].at_s);
	return at_s;
}

/* The time in the history that now is. */
static int64_t time_of(struct history *h, int64_t now_s)
{
	const int64_t last_s = newest(h);

	now_s = MIN(MAX(now_s, 0), HISTORY_AT_MAX);
	if (now_s >= last_s)
		h->ahead_s = 0;
	else if (now_s + h->ahead_s < last_s)
		h->ahead_s = last_s - now_s;
	return MIN(now_s + h->ahead_s, HISTORY_AT_MAX);
}

static uint64_t add(uint64_t count, uint64_t more)
{
	return MIN(count + MIN(more, HISTORY_COUNT_MAX), HISTORY_COUNT_MAX);
}

static void add_point(struct history_point *to, const struct history_point *from)
{
	for (unsigned i = 0; i < HISTORY_SOURCES_MAX; i++)
		to->bytes[i] = add(to->bytes[i], from->bytes[i]);
	to->failures = add(to->failures, from->failures);
}

static void double_resolution(struct history *h)
{
	size_t n = 0;

	h->resolution_s *= 2;
	for (size_t i = 0; i < h->n_points; i++) {
		struct history_point point = h->points[i];

		point.at_s -= point.at_s % h->resolution_s;
		if (n > 0 && h->points[n - 1].at_s == point.at_s)
			add_point(&h->points[n - 1], &point);
		else
			h->points[n++] = point;
	}
	h->n_points = n;
}

/* Times that are far apart stay so at any resolution. Then the oldest goes. */
static void make_room(struct history *h)
{
	while (h->n_points >= HISTORY_POINTS_MAX && h->resolution_s < HISTORY_RESOLUTION_MAX)
		double_resolution(h);
	if (h->n_points < HISTORY_POINTS_MAX)
		return;
	h->n_points--;
	memmove(h->points, h->points + 1, h->n_points * sizeof(*h->points));
}

static bool has_point_at(const struct history *h, int64_t at_s)
{
	return h->n_points > 0 && at_s - h->points[h->n_points - 1].at_s < (int64_t)h->resolution_s;
}

void history_begin_point(struct history *h, int64_t now_s)
{
	const int64_t at_s = time_of(h, now_s);

	if (has_point_at(h, at_s))
		return;
	make_room(h);
	if (has_point_at(h, at_s) || !history_reserve(h, h->n_points + 1, 0))
		return;
	h->points[h->n_points++] = (struct history_point){.at_s = at_s - at_s % h->resolution_s};
}

/* The place of a source in each point. It gets one with its first byte. */
static unsigned place_of(struct history *h, const char *source)
{
	for (unsigned i = 0; i < h->n_sources; i++)
		if (strcmp(h->sources[i], source) == 0)
			return i;
	if (h->n_sources == HISTORY_SOURCES_MAX)
		return HISTORY_SOURCES_MAX - 1;
	if (h->n_sources == HISTORY_SOURCES_MAX - 1)
		source = HISTORY_OTHERS;
	(void)snprintf(h->sources[h->n_sources], SOURCE_NAME_SIZE, "%s", source);
	return h->n_sources++;
}

void history_count(struct history *h, const char *source, uint64_t bytes, uint64_t failures)
{
	struct history_point *point;

	if (h->n_points == 0)
		return;
	point = &h->points[h->n_points - 1];
	point->failures = add(point->failures, failures);
	if (bytes > 0) {
		unsigned place = place_of(h, source);

		point->bytes[place] = add(point->bytes[place], bytes);
	}
}

uint64_t history_point_bytes(const struct history_point *point)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HISTORY_SOURCES_MAX; i++)
		sum = add(sum, point->bytes[i]);
	return sum;
}

void history_mark(struct history *h, int64_t now_s, enum history_kind kind, const char *source,
		  const char *reason)
{
	const int64_t at_s = time_of(h, now_s);
	struct history_mark *mark;

	if (h->n_marks == HISTORY_MARKS_MAX) {
		h->n_marks--;
		memmove(h->marks, h->marks + 1, h->n_marks * sizeof(*h->marks));
		h->older_marks = add(h->older_marks, 1);
	}
	if (!history_reserve(h, 0, h->n_marks + 1))
		return;
	mark = &h->marks[h->n_marks++];
	*mark = (struct history_mark){.at_s = at_s, .kind = kind};
	(void)snprintf(mark->source, sizeof(mark->source), "%s", source ?: "");
	printable_copy(reason ?: "", mark->reason, sizeof(mark->reason));
}
