/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/plot_text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "stewardctl/format.h"
#include "stewardctl/plot_axis.h"

#define ROWS        10u
#define LABEL       14u /* columns before the picture */
#define COLUMNS_MIN 16u /* of the picture: in a narrower terminal it is wrapped */
#define COLUMNS_MAX 240u
#define CLOCK_LONG  8u /* "12:00:00" */

struct picture {
	const struct history *history;
	struct plot_axis axis;
	unsigned columns;
	bool utf8;
	double most; /* the highest rate of a column */
	struct plot_span spans[COLUMNS_MAX];
};

static const char *fill_of(const struct picture *p, unsigned source)
{
	static const char *const ascii[HISTORY_SOURCES_MAX] = {"#", "+", "o", "=",
							       "%", "*", "-", ":"};
	static const char *const blocks[HISTORY_SOURCES_MAX] = {"█", "▒", "▓", "░",
								"o", "+", "=", "*"};

	return p->utf8 ? blocks[source] : ascii[source];
}

static void measure(struct picture *p, const struct history *history, unsigned columns, bool utf8)
{
	const unsigned room = columns > LABEL ? columns - LABEL : 0;

	p->history = history;
	p->utf8 = utf8;
	p->columns = MIN(MAX(room, COLUMNS_MIN), COLUMNS_MAX);
	p->most = 0;
	plot_axis_init(&p->axis, history);
	for (unsigned i = 0; i < p->columns; i++) {
		const double step = p->axis.length / p->columns;

		plot_axis_between(&p->axis, i * step, (i + 1) * step, &p->spans[i]);
		p->most = MAX(p->most, p->spans[i].rate);
	}
}

/* Which source stands at this height of the column? None: nothing does. A column is never empty
 * where something came, however little. */
static const char *cell_of(const struct picture *p, unsigned column, unsigned row)
{
	const struct plot_span *span = &p->spans[column];
	const double height = (row + 0.5) / ROWS * p->most;
	double below = 0;

	for (unsigned source = 0; source < p->history->n_sources; source++) {
		below += span->rates[source];
		if (below > height)
			return fill_of(p, source);
	}
	if (row == 0 && span->rate > 0)
		return p->utf8 ? "▁" : "_";
	return " ";
}

static void draw_row(const struct picture *p, unsigned row, FILE *out)
{
	char rate[FORMAT_SIZE] = "";

	if (row == ROWS - 1)
		(void)format_rate(rate, p->most);
	(void)fprintf(out, "%*s %s", (int)LABEL - 2, rate, p->utf8 ? "│" : "|");
	for (unsigned column = 0; column < p->columns; column++)
		(void)fputs(cell_of(p, column, row), out);
	(void)fputc('\n', out);
}

static void draw_ground(const struct picture *p, FILE *out)
{
	(void)fprintf(out, "%*s %s", (int)LABEL - 2, "0 B/s", p->utf8 ? "└" : "+");
	for (unsigned column = 0; column < p->columns; column++)
		(void)fputs(p->spans[column].is_cut ? "~" : p->utf8 ? "─" : "-", out);
	(void)fputc('\n', out);
}

static unsigned column_of(const struct picture *p, int64_t at_s)
{
	const double at = plot_axis_of(&p->axis, at_s) / p->axis.length * p->columns;

	return MIN((unsigned)at, p->columns - 1);
}

/* Where requests failed, and above that the letters of marks. */
static void draw_marks(const struct picture *p, FILE *out)
{
	char line[COLUMNS_MAX + 1];

	assert(p->columns > 0); /* the narrowest terminal has some */
	for (unsigned column = 0; column < p->columns; column++)
		line[column] = p->spans[column].failures > 0 ? 'x' : ' ';
	line[p->columns] = '\0';
	for (size_t i = 0; i < p->history->n_marks; i++) {
		const struct history_mark *mark = &p->history->marks[i];
		char *at = &line[column_of(p, mark->at_s)];
		const char letter = plot_letter(mark->kind);

		if (*at == ' ' || *at == 'x' || *at == letter)
			*at = letter;
		else
			*at = '*';
	}
	(void)fprintf(out, "%*s%s\n", (int)LABEL, "", line);
}

static void draw_clock(const struct picture *p, FILE *out)
{
	const struct history *h = p->history;
	char begin[FORMAT_SIZE];
	char end[FORMAT_SIZE];

	(void)format_clock(begin, h->points[0].at_s);
	(void)format_clock(end, h->points[h->n_points - 1].at_s + h->resolution_s);
	(void)fprintf(out, "%*s%-*s%*s\n", (int)LABEL, "", (int)CLOCK_LONG, begin,
		      (int)(p->columns - CLOCK_LONG), end);
}

static void draw_sources(const struct picture *p, FILE *out)
{
	char amount[FORMAT_SIZE];
	char name[4 * SOURCE_NAME_SIZE];

	for (unsigned i = 0; i < p->history->n_sources; i++) {
		printable_copy(p->history->sources[i], name, sizeof(name));
		(void)fprintf(out, "%s  %-20s %12s\n", fill_of(p, i), name,
			      format_bytes(amount, (double)plot_source_bytes(p->history, i)));
	}
	if (plot_failures(p->history) > 0)
		(void)fprintf(out, "x  requests that failed: %" PRIu64 "\n",
			      plot_failures(p->history));
	for (unsigned column = 0; column < p->columns; column++) {
		if (!p->spans[column].is_cut)
			continue;
		(void)fputs("~  nothing was fetched for long, and the axis is cut\n", out);
		return;
	}
}

static void list_marks(const struct history *h, FILE *out)
{
	char source[4 * SOURCE_NAME_SIZE];
	char reason[4 * HISTORY_REASON_SIZE];
	char clock[FORMAT_SIZE];

	if (h->older_marks > 0)
		(void)fprintf(out, "   %" PRIu64 " older marks were not kept\n", h->older_marks);
	for (size_t i = 0; i < h->n_marks; i++) {
		const struct history_mark *mark = &h->marks[i];

		printable_copy(mark->source, source, sizeof(source));
		printable_copy(mark->reason, reason, sizeof(reason));
		(void)fprintf(out, "%c  %s  %s%s%s%s%s\n", plot_letter(mark->kind),
			      format_clock(clock, mark->at_s), plot_meaning(mark->kind),
			      source[0] ? ": " : "", source, reason[0] ? ": " : "", reason);
	}
}

void plot_text(const struct history *history, unsigned columns, bool utf8, FILE *out)
{
	struct picture p;
	char date[FORMAT_SIZE];

	if (history->n_points == 0) {
		(void)fputs("Nothing was fetched yet.\n", out);
		list_marks(history, out);
		return;
	}
	measure(&p, history, columns, utf8);
	(void)fprintf(out, "From      %s, in steps of %" PRIu32 " s\n\n",
		      format_date(date, history->points[0].at_s), history->resolution_s);
	for (unsigned row = ROWS; row-- > 0;)
		draw_row(&p, row, out);
	draw_ground(&p, out);
	draw_marks(&p, out);
	draw_clock(&p, out);
	(void)fputc('\n', out);
	draw_sources(&p, out);
	list_marks(history, out);
}
