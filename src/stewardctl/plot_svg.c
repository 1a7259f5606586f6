/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/plot_svg.h"

#include <inttypes.h>
#include <stdlib.h>
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
#define LETTER    12 /* of a mark, its width */
#define TEXT_SIZE 1024

#define LINE_CHARACTERS 112

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
				      "<path class=\"f\" d=\"M%.1f %dv10\"><title>requests that "
				      "failed: %" PRIu64 "</title></path>\n",
				      x_of(d, d->axis.start[i]), BOTTOM, h->points[i].failures);
}

/* As a text, not escaped yet. */
static void describe(const struct history_mark *mark, char ret[TEXT_SIZE])
{
	char clock[FORMAT_SIZE];

	(void)snprintf(ret, TEXT_SIZE, "%c  %s  %s%s%s%s%s", plot_letter(mark->kind),
		       format_clock(clock, mark->at_s), plot_meaning(mark->kind),
		       mark->source[0] ? ": " : "", mark->source, mark->reason[0] ? ": " : "",
		       mark->reason);
}

/* Letters of one time stand beside each other, as far as there is room. */
static void draw_marks(const struct drawing *d)
{
	double letter_x = LEFT;
	char text[TEXT_SIZE];

	for (size_t i = 0; i < d->history->n_marks; i++) {
		const struct history_mark *mark = &d->history->marks[i];
		const double x = x_of(d, plot_axis_of(&d->axis, mark->at_s));

		letter_x = MIN(MAX(x, letter_x), WIDTH - LETTER);
		describe(mark, text);
		(void)fputs("<g><title>", d->out);
		write_text(d->out, text);
		(void)fprintf(d->out,
			      "</title><path class=\"m\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" "
			      "y=\"%d\" text-anchor=\"middle\">%c</text></g>\n",
			      x, TOP - 4, BOTTOM, letter_x, TOP - 8, plot_letter(mark->kind));
		letter_x += LETTER;
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
			      "<path class=\"f\" d=\"M%d %dv12\"/><text x=\"%d\" y=\"%d\">requests "
			      "that failed: %" PRIu64 "</text>\n",
			      LEFT + 6, y - 11, LEFT + 20, y, plot_failures(h));
		y += LINE;
	}
	return y;
}

/* Where a line of text ends: at a blank, if there is one in its second half. */
static const char *line_end(const char *text)
{
	unsigned long character;
	const char *blank = NULL;
	const char *at = text;

	for (unsigned i = 0; i < LINE_CHARACTERS && *at; i++) {
		const size_t size = printable_next(at, &character);

		at += size > 0 ? size : 1;
		if (i > LINE_CHARACTERS / 2 && at[-1] == ' ')
			blank = at;
	}
	return *at && blank ? blank : at;
}

/* SVG breaks no lines. Returns where the next one stands. */
static int write_lines(const struct drawing *d, const char *text, int y)
{
	char line[4 * LINE_CHARACTERS + 1];

	while (*text) {
		const char *end = line_end(text);

		(void)snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		(void)fprintf(d->out, "<text x=\"%d\" y=\"%d\">", LEFT, y);
		write_text(d->out, line);
		(void)fputs("</text>\n", d->out);
		text = end;
		y += LINE;
	}
	return y;
}

static int list_marks(const struct drawing *d, int y)
{
	char text[TEXT_SIZE];

	for (size_t i = 0; i < d->history->n_marks; i++) {
		describe(&d->history->marks[i], text);
		y = write_lines(d, text, y);
	}
	return y;
}

/* How much room the texts below take is known when they are written: they come first. */
static int list_below(const struct drawing *d, char **ret)
{
	struct drawing below = *d;
	size_t size = 0;
	int y;

	*ret = NULL;
	below.out = open_memstream(ret, &size);
	if (!below.out)
		return BOTTOM;
	y = list_marks(&below, draw_legend(&below, BOTTOM + 2 * LINE));
	if (fclose(below.out) == 0)
		return y;
	free(*ret);
	*ret = NULL;
	return BOTTOM;
}

void plot_svg(const struct history *history, const char *version, FILE *out)
{
	struct drawing d = {.history = history, .out = out};
	char *below = NULL;

	measure(&d);
	draw_heading(&d, version, list_below(&d, &below));
	draw_rates(&d);
	for (unsigned i = 0; i < history->n_sources; i++)
		draw_source(&d, i);
	draw_failures(&d);
	draw_marks(&d);
	(void)fputs(below ? below : "", out);
	(void)fputs("</svg>\n", out);
	free(below);
}
