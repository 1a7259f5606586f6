/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watch_state.h - the state of a download that is being watched: what was shown of it last, and
 * how it ended.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "stewardctl/progress.h"

/* Zeroed = nothing was shown yet. */
struct watch_state {
	char last_state[32];
	char last_source[64];
	unsigned last_percent;
	bool ended;
	bool complete;
	char reason[1024]; /* why, if it ended without being complete */
};

/* Has the state or the source changed, or are there ten percent more? Then it counts as shown. */
bool watch_state_has_changed(struct watch_state *w, const cJSON *download);

/* Notes whether it has ended, and how. */
void watch_state_note(struct watch_state *w, const cJSON *download);

/* The output: its width and encoding, and JSON lines. */
unsigned watch_state_columns(void); /* of the terminal */
bool watch_state_speaks_utf8(void);
void watch_state_say_json(const char *text); /* one line, at once */
