/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history_json.h - the history of a download as JSON: on the control socket, and in history.json.
 *
 *	{"resolution":1,"sources":["s0","s1"],
 *	 "points":[{"at":1767225600,"bytes":[1048576,0],"failures":0}],
 *	 "marks":[{"at":1767225604,"kind":"failover","source":"s1","reason":"instead of s0"}],
 *	 "older-marks":0}
 *
 * at: Unix seconds. bytes: in the order of sources. source and reason are null where there is none.
 */
#pragma once

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/span.h"
#include "download/engine/history.h"

#define HISTORY_SIZE_MAX (256u << 10)

/* NULL = out of memory. */
cJSON *history_to_json(const struct history *h);

/* Reads what history_to_json() made, from a file that anybody may have written since. h must be
 * empty, and stays so if the text is refused: -EBADMSG, -E2BIG, -ENOMEM. */
int history_parse(struct history *h, struct span text, struct err *err);
