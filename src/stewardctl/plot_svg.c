/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/plot_svg.h"

#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "stewardctl/format.h"
#include "stewardctl/plot_axis.h"

#define WIDTH     960
#define LEFT      96 /* of the picture itself */
#define RIGHT     944
#define TOP       56
#define BOTTOM    296
#define LINE      20 /* between two lines of text */
#define TEXT_SIZE 1024

/* Okabe and Ito's colours, which people with any colour vision tell apart, and lighter ones of the
 * same hues for a dark page. */
static const char style[] =
	"svg{background:#fff;color:#1b1b1b;font:14px sans-serif}"
	"text{fill:currentColor}.t{font-size:17px;font-weight:bold}"
	".g{stroke:currentColor;stroke-opacity:.25}.a{stroke:currentColor}"
	".m{stroke:currentColor;stroke-dasharray:3 3}.f{stroke:#b3261e;stroke-width:2}"
	".s0{fill:#0072b2}.s1{fill:#e69f00}.s2{fill:#009e73}.s3{fill:#cc79a7}"
	".s4{fill:#56b4e9}.s5{fill:#d55e00}.s6{fill:#b8a900}.s7{fill:#777}"
	"@media (prefers-color-scheme:dark){svg{background:#151515;color:#eee}"
	".f{stroke:#ff8a80}.s0{fill:#4aa8e0}.s3{fill:#e3a1c5}.s5{fill:#ff8a3d}"
	".s6{fill:#e8dc4a}.s7{fill:#aaa}}";

static void write_character(FILE *out, const char *at, size_t size, unsigned long character)
{
	switch (character) {
	case '<':
		(void)fputs("&lt;", out);
		return;
	case '>':
		(void)fputs("&gt;", out);
		return;
	case '&':
		(void)fputs("&amp;", out);
		return;
	case '"':
		(void)fputs("&quot;", out);
		return;
	case 0xfffe: /* no character of XML */
	case 0xffff:
		(void)fputc('?', out);
		return;
	default:
		(void)fwrite(at, 1, size, out);
	}
}

/* Whatever text: one line, and never markup. */
static void write_text(FILE *out, const char *text)
{
	char line[TEXT_SIZE];
	unsigned long character;
	size_t size;

	printable_copy(text, line, sizeof(line));
	for (const char *at = line; (size = printable_next(at, &character)) > 0 && *at; at += size)
		write_character(out, at, size, character);
}

struct drawing {
	const struct history *history;
	struct plot_axis axis;
	double most; /* the highest rate of a point */
	FILE *out;
};

static double x_of(const struct drawing *d, double at)
{
	return d->axis.length > 0 ? LEFT + at / d->axis.length * (RIGHT - LEFT) : LEFT;
}

static double y_of(const struct drawing *d, double rate)
{
	return d->most > 0 ? BOTTOM - rate / d->most * (BOTTOM - TOP) : BOTTOM;
}

static void measure(struct drawing *d)
{
	const struct history *h = d->history;

	plot_axis_init(&d->axis, h);
	for (size_t i = 0; i < h->n_points; i++)
		d->most =
			MAX(d->most, (double)history_point_bytes(&h->points[i]) / h->resolution_s);
}

static void draw_heading(const struct drawing *d, const char *version, int height)
{
	char date[FORMAT_SIZE] = "";

	if (d->history->n_points > 0)
		(void)format_date(date, d->history->points[0].at_s);
	(void)fprintf(
		d->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" "
		"aria-labelledby=\"title desc\">\n<title id=\"title\">Download of ",
		WIDTH, height);
	write_text(d->out, version);
	(void)fputs("</title>\n<desc id=\"desc\">Bytes a second by source, requests that failed, "
		    "and what happened.</desc>\n<style>",
		    d->out);
	(void)fprintf(d->out, "%s</style>\n<text class=\"t\" x=\"%d\" y=\"24\">", style, LEFT);
	write_text(d->out, version);
	(void)fprintf(d->out, "</text>\n<text x=\"%d\" y=\"24\" text-anchor=\"end\">%s</text>\n",
		      RIGHT, date[0] ? date : "Nothing was fetched yet.");
}

static void draw_rates(const struct drawing *d)
{
	char rate[FORMAT_SIZE];

	for (int i = 0; i <= 4; i++) {
		const double y = y_of(d, d->most * i / 4);

		(void)fprintf(d->out,
			      "<path class=\"%s\" d=\"M%d %.1fH%d\"/>\n<text x=\"%d\" y=\"%.1f\" "
			      "text-anchor=\"end\">%s</text>\n",
			      i ? "g" : "a", LEFT, y, RIGHT, LEFT - 8, y + 5,
			      format_rate(rate, d->most * i / 4));
		if (d->most <= 0)
			return;
	}
}

/* Those below it were drawn before. */
static double rate_below(const struct drawing *d, const struct history_point *point,
			 unsigned source)
{
	double bytes = 0;

	for (unsigned i = 0; i < source; i++)
		bytes += (double)point->bytes[i];
	return bytes / d->history->resolution_s;
}

static void draw_source(const struct drawing *d, unsigned source)
{
	const struct history *h = d->history;
	char amount[FORMAT_SIZE];

	(void)fprintf(d->out, "<path class=\"s%u\" d=\"", source);
	for (size_t i = 0; i < h->n_points; i++) {
		const double below = rate_below(d, &h->points[i], source);
		const double rate = (double)h->points[i].bytes[source] / h->resolution_s;

		if (rate > 0)
			(void)fprintf(d->out, "M%.1f %.1fV%.1fH%.1fV%.1fZ",
				      x_of(d, d->axis.start[i]), y_of(d, below),
				      y_of(d, below + rate),
				      x_of(d, d->axis.start[i] + h->resolution_s), y_of(d, below));
	}
	(void)fputs("\"><title>", d->out);
	write_text(d->out, h->sources[source]);
	(void)fprintf(d->out, ": %s</title></path>\n",
		      format_bytes(amount, (double)plot_source_bytes(h, source)));
}

static void draw_failures(const struct drawing *d)
{
	const struct history *h = d->history;

	for (size_t i = 0; i < h->n_points; i++)
		if (h->points[i].failures > 0)
			(void)fprintf(d->out,
				      "<path class=\"f\" d=\"M%.1f %dv10\"><title>%" PRIu64
				      " requests failed</title></path>\n",
				      x_of(d, d->axis.start[i]), BOTTOM, h->points[i].failures);
}

static void say_mark(const struct drawing *d, const struct history_mark *mark)
{
	char date[FORMAT_SIZE];

	(void)fprintf(d->out, "%s: %s", format_date(date, mark->at_s), plot_meaning(mark->kind));
	if (mark->source[0]) {
		(void)fputs(": ", d->out);
		write_text(d->out, mark->source);
	}
	if (mark->reason[0]) {
		(void)fputs(": ", d->out);
		write_text(d->out, mark->reason);
	}
}

static void draw_marks(const struct drawing *d)
{
	for (size_t i = 0; i < d->history->n_marks; i++) {
		const struct history_mark *mark = &d->history->marks[i];
		const double x = x_of(d, plot_axis_of(&d->axis, mark->at_s));

		(void)fprintf(d->out, "<g><title>");
		say_mark(d, mark);
		(void)fprintf(d->out,
			      "</title><path class=\"m\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" "
			      "y=\"%d\" text-anchor=\"middle\">%c</text></g>\n",
			      x, TOP - 4, BOTTOM, x, TOP - 8, plot_letter(mark->kind));
	}
}

/* Returns where the next line stands. */
static int draw_legend(const struct drawing *d, int y)
{
	const struct history *h = d->history;
	char amount[FORMAT_SIZE];

	for (unsigned i = 0; i < h->n_sources; i++, y += LINE) {
		(void)fprintf(d->out,
			      "<rect class=\"s%u\" x=\"%d\" y=\"%d\" width=\"12\" height=\"12\"/>"
			      "<text x=\"%d\" y=\"%d\">",
			      i, LEFT, y - 11, LEFT + 20, y);
		write_text(d->out, h->sources[i]);
		(void)fprintf(d->out, ", %s</text>\n",
			      format_bytes(amount, (double)plot_source_bytes(h, i)));
	}
	if (plot_failures(h) > 0) {
		(void)fprintf(d->out,
			      "<path class=\"f\" d=\"M%d %dv12\"/><text x=\"%d\" y=\"%d\">%" PRIu64
			      " requests failed</text>\n",
			      LEFT + 6, y - 11, LEFT + 20, y, plot_failures(h));
		y += LINE;
	}
	return y;
}

static void list_marks(const struct drawing *d, int y)
{
	for (size_t i = 0; i < d->history->n_marks; i++, y += LINE) {
		const struct history_mark *mark = &d->history->marks[i];

		(void)fprintf(d->out, "<text x=\"%d\" y=\"%d\">%c  ", LEFT, y,
			      plot_letter(mark->kind));
		say_mark(d, mark);
		(void)fputs("</text>\n", d->out);
	}
}

void plot_svg(const struct history *history, const char *version, FILE *out)
{
	struct drawing d = {.history = history, .out = out};
	const int first_line = BOTTOM + 2 * LINE;
	const int lines = (int)(history->n_sources + history->n_marks) + 1;

	measure(&d);
	draw_heading(&d, version, first_line + lines * LINE);
	draw_rates(&d);
	for (unsigned i = 0; i < history->n_sources; i++)
		draw_source(&d, i);
	draw_failures(&d);
	draw_marks(&d);
	list_marks(&d, draw_legend(&d, first_line));
	(void)fputs("</svg>\n", out);
}
