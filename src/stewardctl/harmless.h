/* harmless.h - what a daemon passes on from others (a router, a peer, a source), made fit for a
 * terminal: at the last moment, and all of it.
 */
#pragma once

#include <cjson/cJSON.h>

/* An answer that is going to be shown: all its texts, and names of members, are one harmless line
 * each (base/printable.h). NULL: it is no JSON. */
cJSON *harmless_parse(const char *text);
void harmless_make(cJSON *json);

/* Print JSON as it is, and a line break: what a terminal would obey, in it only ever within
 * strings, is written as \uXXXX, which means the same. */
void harmless_say_json(const char *text);
