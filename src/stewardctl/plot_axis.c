/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/plot_axis.h"

#include <string.h>

#include "base/macros.h"

#define CUT_PART 8 /* of the time in which something was fetched */

static const struct {
	char letter;
	const char *meaning;
} kinds[HISTORY_KIND_COUNT] = {
	[HISTORY_FAILOVER] = {'F', "another source is asked"},
	[HISTORY_SOURCE_LEFT] = {'L', "a source is left"},
	[HISTORY_MISMATCH] = {'M', "a piece does not match"},
	[HISTORY_WAITING_RETRY] = {'W', "the attempt ended, the next one is waited for"},
	[HISTORY_PAUSED] = {'P', "paused"},
	[HISTORY_FAILED] = {'X', "failed"},
	[HISTORY_CANCELLED] = {'C', "cancelled"},
	[HISTORY_COMPLETE] = {'E', "complete"},
};

char plot_letter(enum history_kind kind)
{
	return kinds[kind].letter;
}

const char *plot_meaning(enum history_kind kind)
{
	return kinds[kind].meaning;
}

/* Seconds without a point before this one, as the clock counts them. */
static double wait_before(const struct history *h, size_t i)
{
	if (i == 0)
		return 0;
	return (double)(h->points[i].at_s - h->points[i - 1].at_s) - h->resolution_s;
}

void plot_axis_init(struct plot_axis *axis, const struct history *history)
{
	const double point_s = history->resolution_s;

	axis->history = history;
	axis->cut_s = MAX(point_s, point_s * (double)history->n_points / CUT_PART);
	axis->length = 0;
	for (size_t i = 0; i < history->n_points; i++) {
		axis->length += MIN(wait_before(history, i), axis->cut_s);
		axis->start[i] = axis->length;
		axis->length += point_s;
	}
}

double plot_axis_of(const struct plot_axis *axis, int64_t at_s)
{
	const struct history *h = axis->history;
	size_t i = h->n_points;
	double after;
	double end;

	while (i > 0 && h->points[i - 1].at_s > at_s)
		i--;
	if (i == 0)
		return 0;
	end = i < h->n_points ? axis->start[i] : axis->length;
	after = axis->start[i - 1] + (double)(at_s - h->points[i - 1].at_s);
	return MIN(after, end);
}

static void add_point(const struct plot_axis *axis, size_t i, double from, double to,
		      struct plot_span *ret)
{
	const struct history_point *point = &axis->history->points[i];
	const double point_s = axis->history->resolution_s;
	const double begin = MAX(from, axis->start[i]);
	const double end = MIN(to, axis->start[i] + point_s);

	if (wait_before(axis->history, i) > axis->cut_s && from < axis->start[i] &&
	    to > axis->start[i] - axis->cut_s)
		ret->is_cut = true;
	if (end <= begin)
		return;
	for (unsigned source = 0; source < HISTORY_SOURCES_MAX; source++) {
		double rate = (double)point->bytes[source] * (end - begin) / point_s / (to - from);

		ret->rates[source] += rate;
		ret->rate += rate;
	}
	ret->failures += (double)point->failures;
}

void plot_axis_between(const struct plot_axis *axis, double from, double to, struct plot_span *ret)
{
	*ret = (struct plot_span){0};
	for (size_t i = 0; i < axis->history->n_points; i++)
		add_point(axis, i, from, to, ret);
}

uint64_t plot_source_bytes(const struct history *history, unsigned source)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < history->n_points; i++)
		sum += history->points[i].bytes[source];
	return sum;
}

uint64_t plot_failures(const struct history *history)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < history->n_points; i++)
		sum += history->points[i].failures;
	return sum;
}
