/* watched.h - a download that is watched: what was shown of it last, and how it ended. */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "stewardctl/progress.h"

/* Zeroed = nothing was shown yet. */
struct watched {
	char last_state[32];
	char last_source[64];
	unsigned last_percent;
	bool ended;
	bool complete;
	char reason[1024]; /* of one that ended otherwise */
};

/* Is this worth a line: another state or source, or ten percent more? Then it counts as shown. */
bool watched_has_changed(struct watched *w, const cJSON *download);

/* Note whether it goes on. */
void watched_note(struct watched *w, const cJSON *download);

/* Where it is shown. */
unsigned watched_columns(void); /* of the terminal */
bool watched_speaks_utf8(void);
void watched_say_json(const char *text); /* one line, at once */
