/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "stewardctl/format.h"
#include "stewardctl/member.h"

#define BAR_MAX 40u
#define BAR_MIN 10u
#define PARTS   5u /* of what is said beside it */

unsigned progress_percent(const cJSON *download)
{
	double total = member_number(download, "bytes-total");

	if (total <= 0)
		return 0;
	return (unsigned)(member_number(download, "bytes-verified") * 100 / total);
}

/* What the bar has of each kind, in its order. */
enum kind { KIND_REUSED, KIND_FETCHED, KIND_MISSING };

static const char *const marks[][2] = {
	[KIND_REUSED] = {"=", "▓"},
	[KIND_FETCHED] = {"#", "█"},
	[KIND_MISSING] = {".", "░"},
};

/* What was reused is verified: it is a part of what is filled. */
static unsigned reused_percent(const cJSON *download, unsigned percent)
{
	double total = member_number(download, "bytes-total");
	double reused = member_number(download, "bytes-reused");

	if (!(reused > 0))
		return 0;
	return reused < total ? MIN((unsigned)(reused * 100 / total), percent) : percent;
}

static void draw(char *at, unsigned width, const cJSON *download, bool utf8)
{
	unsigned percent = MIN(progress_percent(download), 100);
	unsigned filled = width * percent / 100;
	unsigned reused = width * reused_percent(download, percent) / 100;

	for (unsigned i = 0; i < width; i++) {
		enum kind kind = i < reused   ? KIND_REUSED
				 : i < filled ? KIND_FETCHED
					      : KIND_MISSING;

		at += sprintf(at, "%s", marks[kind][utf8]);
	}
}

static void append(char *text, size_t size, const char *part, const char *more)
{
	size_t used = strlen(text);

	(void)snprintf(text + used, size - used, "  %s%s", part, more);
}

/* What matters less is named later: of the five parts the first n. Nothing is said of a rate that
 * is not known yet, or is none. */
static void describe(const cJSON *download, unsigned n, char *ret, size_t size)
{
	const double rate = member_number(download, "rate");
	const char *source = member_text(download, "active-source");
	char text[FORMAT_SIZE];
	char total[FORMAT_SIZE];

	(void)snprintf(ret, size, "%s of %s",
		       format_bytes(text, member_number(download, "bytes-verified")),
		       format_bytes(total, member_number(download, "bytes-total")));
	if (n > 1 && rate > 0)
		append(ret, size, format_rate(text, rate), "");
	if (n > 2 && rate > 0)
		append(ret, size, format_duration(text, (int64_t)member_number(download, "eta")),
		       " left");
	if (n > 3 && source[0])
		append(ret, size, source, "");
	if (n > 4) {
		(void)snprintf(text, sizeof(text), "%.0f", member_number(download, "attempt"));
		append(ret, size, "attempt ", text);
	}
}

/* As many parts as leave the bar its place, of columns without it. */
static void describe_within(const cJSON *download, size_t columns, char *ret, size_t size)
{
	unsigned n = PARTS;

	if (strcmp(member_text(download, "state"), "downloading") != 0) {
		(void)snprintf(ret, size, "%s", member_text(download, "state"));
		return;
	}
	do
		describe(download, n, ret, size);
	while (strlen(ret) + BAR_MIN > columns && --n > 0);
}

void progress_bar(const cJSON *download, unsigned columns, bool utf8, char ret[PROGRESS_SIZE])
{
	char description[256];
	char bar[BAR_MAX * 3 + 1] = "";
	unsigned percent = progress_percent(download);
	size_t fixed = strlen(member_text(download, "version")) + 10;

	describe_within(download, columns > fixed ? columns - fixed : 0, description,
			sizeof(description));
	fixed += strlen(description);
	if (columns >= fixed + BAR_MIN)
		draw(bar, MIN(BAR_MAX, columns - (unsigned)fixed), download, utf8);
	(void)snprintf(ret, PROGRESS_SIZE, "%s %s %3u %%  %s", member_text(download, "version"),
		       bar, percent, description);
	if (!bar[0])
		printable_cut(ret, columns);
}

void progress_line(const cJSON *download, char ret[PROGRESS_SIZE])
{
	const char *source = member_text(download, "active-source");
	const char *error = member_text(download, "error");

	(void)snprintf(ret, PROGRESS_SIZE, "%s %s %u %%%s%s%s%s", member_text(download, "version"),
		       member_text(download, "state"), progress_percent(download),
		       source[0] ? " from " : "", source, error[0] ? ": " : "", error);
}
