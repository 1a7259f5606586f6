/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/watch_state.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "stewardctl/harmless.h"
#include "stewardctl/member.h"

#define PERCENT_STEP  10 /* between two lines without a change */
#define COLUMNS_USUAL 80

bool watch_state_has_changed(struct watch_state *w, const cJSON *download)
{
	const char *state = member_text(download, "state");
	const char *source = member_text(download, "active-source");
	unsigned percent = progress_percent(download);

	if (strcmp(state, w->last_state) == 0 && strcmp(source, w->last_source) == 0 &&
	    percent < w->last_percent + PERCENT_STEP)
		return false;
	(void)snprintf(w->last_state, sizeof(w->last_state), "%s", state);
	(void)snprintf(w->last_source, sizeof(w->last_source), "%s", source);
	w->last_percent = percent / PERCENT_STEP * PERCENT_STEP;
	return true;
}

void watch_state_note(struct watch_state *w, const cJSON *download)
{
	const char *state = member_text(download, "state");
	const char *error = member_text(download, "error");

	w->complete = strcmp(state, "complete") == 0;
	w->ended = w->complete || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0 ||
		   strcmp(state, "paused") == 0;
	if (w->ended && !w->complete)
		(void)snprintf(w->reason, sizeof(w->reason), "the download of %s is %s%s%s",
			       member_text(download, "version"), state, error[0] ? ": " : "",
			       error);
}

unsigned watch_state_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return COLUMNS_USUAL;
}

bool watch_state_speaks_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void watch_state_say_json(const char *text)
{
	harmless_say_json(text);
	(void)fflush(stdout);
}
