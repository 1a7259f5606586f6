#include "stewardctl/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "stewardctl/format.h"
#include "stewardctl/member.h"

#define BAR_MAX 40u

unsigned progress_percent(const cJSON *download)
{
	double total = member_number(download, "bytes-total");

	if (total <= 0)
		return 0;
	return (unsigned)(member_number(download, "bytes-verified") * 100 / total);
}

static void draw(char *at, unsigned width, unsigned percent, bool utf8)
{
	unsigned filled = width * MIN(percent, 100) / 100;

	for (unsigned i = 0; i < width; i++)
		at += sprintf(at, "%s", utf8 ? (i < filled ? "█" : "░") : (i < filled ? "#" : "."));
}

static void describe(const cJSON *download, char *ret, size_t size)
{
	char done[FORMAT_SIZE];
	char total[FORMAT_SIZE];
	char rate[FORMAT_SIZE];
	char left[FORMAT_SIZE];
	const char *state = member_text(download, "state");

	if (strcmp(state, "downloading") != 0) {
		(void)snprintf(ret, size, "%s", state);
		return;
	}
	(void)snprintf(ret, size, "%s of %s  %s  %s left  %s  attempt %.0f",
		       format_bytes(done, member_number(download, "bytes-verified")),
		       format_bytes(total, member_number(download, "bytes-total")),
		       format_rate(rate, member_number(download, "rate")),
		       format_duration(left, (int64_t)member_number(download, "eta")),
		       member_text(download, "active-source"), member_number(download, "attempt"));
}

void progress_bar(const cJSON *download, unsigned columns, bool utf8, char ret[PROGRESS_SIZE])
{
	char description[256];
	char bar[BAR_MAX * 3 + 1] = "";
	unsigned percent = progress_percent(download);
	size_t fixed;

	describe(download, description, sizeof(description));
	fixed = strlen(member_text(download, "version")) + strlen(description) + 10;
	if (columns > fixed + 5)
		draw(bar, MIN(BAR_MAX, columns - (unsigned)fixed), percent, utf8);
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
