/* SPDX-License-Identifier: GPL-3.0-or-later */
/* progress.h - a download in one line. Pure. */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define PROGRESS_SIZE 1024

/* A bar, whose beginning has another shade for what was not fetched but reused, with bytes, rate,
 * time left, source and attempt, at most columns wide: where there is no room for all of them the
 * last are left out, and at the end the bar. */
void progress_bar(const cJSON *download, unsigned columns, bool utf8, char ret[PROGRESS_SIZE]);

/* One line for a log: state, percent, source, reason. */
void progress_line(const cJSON *download, char ret[PROGRESS_SIZE]);

unsigned progress_percent(const cJSON *download);
