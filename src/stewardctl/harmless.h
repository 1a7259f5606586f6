/* SPDX-License-Identifier: GPL-3.0-or-later */
/* harmless.h - makes text that a daemon passes on from others (a router, a peer, a source) safe
 * for a terminal: all of it, at the last moment. So too what is quoted from a file that it reads.
 */
#pragma once

#include <cjson/cJSON.h>

#include "base/err.h"

/* Parses an answer that is going to be shown: each of its texts and member names becomes one
 * harmless line (base/printable.h). NULL: it is no JSON. */
cJSON *harmless_parse(const char *text);
void harmless_make(cJSON *json);

/* Writes an error to stderr. It may quote a file that came from somebody else. */
void harmless_complain(const struct err *err);

/* Prints JSON unchanged, with a line break; but characters that a terminal would obey, which are
 * only ever within strings, are written as \uXXXX, which means the same. */
void harmless_say_json(const char *text);
/* The same, without the line break. */
void harmless_write_json(const char *text);
