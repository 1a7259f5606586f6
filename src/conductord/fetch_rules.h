/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fetch_rules.h - what a conductor does when a router asks for the manifest or the pieces of an
 * image (docs/download.md, "A conductor that fetches"). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "download/engine/engine.h"

/* A fetch that failed is begun again for a router, but so seldom. */
#define FETCH_REST_MS 60000u

enum fetch_step {
	FETCH_SERVE,   /* as any node does: what is there, or 404 */
	FETCH_BEGIN,   /* download it; tell the router to ask again */
	FETCH_AT_WORK, /* tell the router to ask again */
	FETCH_REFUSE,  /* tell the router why it does not come */
};

struct fetch_question {
	bool is_manifest; /* else pieces: of something that was begun */
	bool is_present;  /* the image is */
	bool is_listed;   /* one of our sources has it */
	bool has_download;
	enum engine_state state; /* of the download */
	bool shares;             /* it offers what it has */
	bool is_rested;          /* it was not begun for a router in the last FETCH_REST_MS */
};

enum fetch_step fetch_decide(const struct fetch_question *q);

/* Does the step depend on is_listed? */
bool fetch_needs_list(const struct fetch_question *q);
