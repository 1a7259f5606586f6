/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plot_axis.h - where the seconds of a download's history stand beside each other. Pure.
 *
 * A download that waited an hour for its next attempt, or was paused over a night, would have
 * nothing but that wait in its picture. So where nothing was fetched for longer than an eighth of
 * the time in which something was, the axis is cut to that.
 */
#pragma once

#include <stdbool.h>

#include "download/engine/history.h"

struct plot_axis {
	const struct history *history;
	double start[HISTORY_POINTS_MAX]; /* of each point, in seconds of the axis */
	double length;                    /* of the axis, in seconds; 0 = there is no point */
	double cut_s;                     /* no wait takes more of it */
};

void plot_axis_init(struct plot_axis *axis, const struct history *history);

/* Where a time stands on the axis. */
double plot_axis_of(const struct plot_axis *axis, int64_t at_s);

/* Bytes a second of each source between two places on the axis; requests that failed there; and
 * whether the axis is cut there. */
struct plot_span {
	double rates[HISTORY_SOURCES_MAX];
	double rate; /* of all */
	double failures;
	bool is_cut;
};
void plot_axis_between(const struct plot_axis *axis, double from, double to, struct plot_span *ret);

uint64_t plot_source_bytes(const struct history *history, unsigned source);
uint64_t plot_failures(const struct history *history);
/* One letter for each kind of mark, and what it means to a reader. */
char plot_letter(enum history_kind kind);
const char *plot_meaning(enum history_kind kind);
