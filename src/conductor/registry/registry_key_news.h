/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_key_news.h - whose SSH key may have changed since the last look.
 *
 * Whatever gives a node a key or takes one away writes its row into the audit, in the same
 * transaction and with the router's name; and each conductor numbers its rows upwards. So the last
 * number of each conductor says whether anything has changed, and the rows after it say of which
 * routers. That costs the same with a hundred nodes and with fifty thousand.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry_enrolment.h"

#define REGISTRY_KEY_MARKS_MAX 32   /* conductors that are told apart */
#define REGISTRY_KEY_NEWS_MAX  1024 /* rows of one conductor; after more, all keys are read */

struct registry_key_mark {
	char conductor[TOKEN_NAME_SIZE];
	int64_t sequence; /* of its last row that was read */
};

/* Where the last look ended. {0}: there was none, and all keys are read. */
struct registry_key_marks {
	struct registry_key_mark each[REGISTRY_KEY_MARKS_MAX];
	size_t n;
};

struct registry_key_news {
	bool all; /* keys has each key that there is */
	/* Else: of these routers keys has each, and the others are as they were. */
	char (*routers)[TOKEN_NAME_SIZE];
	size_t n_routers;
	struct registry_authorized_key *keys;
	size_t n_keys;
};

/* marks: moved on. ret is released by the caller. */
int registry_key_news_read(struct registry *r, struct registry_key_marks *marks,
			   struct registry_key_news *ret, struct err *err);
void registry_key_news_release(struct registry_key_news *news);
