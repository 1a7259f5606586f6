/* watch_state.h - a download that is watched: what was shown of it last, and how it ended. */
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
	char reason[1024]; /* of one that ended otherwise */
};

/* Is this worth a line: another state or source, or ten percent more? Then it counts as shown. */
bool watch_state_has_changed(struct watch_state *w, const cJSON *download);

/* Note whether it goes on. */
void watch_state_note(struct watch_state *w, const cJSON *download);

/* Where it is shown. */
unsigned watch_state_columns(void); /* of the terminal */
bool watch_state_speaks_utf8(void);
void watch_state_say_json(const char *text); /* one line, at once */
