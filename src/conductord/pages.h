/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pages.h - lists of the registry, as a whole or page by page (?limit=, ?after=). A page that is
 * not the last has a Link to the next (RFC 8288), which says where it ended; so pages cost what
 * they show, and a row that comes or goes meanwhile neither hides nor doubles another.
 */
#pragma once

#include "conductord/list_text.h"
#include "conductord/registry_job.h"

#define PAGES_CHUNK 5000 /* rows in memory at a time, also for a whole list */

/* What is read in one go. On a worker. */
struct pages_chunk {
	char after[REGISTRY_JOB_AFTER_SIZE]; /* in, out: where the last one ended; "" = nowhere */
	size_t limit;
	bool more; /* out: there is a row after the last that was added */
};

/* Of n rows that were read so many are the chunk's; notes whether there are more. */
size_t pages_cut(struct pages_chunk *chunk, size_t n);

/* Reads limit + 1 rows after that place, and adds at most limit of them to the list. -EINVAL: no
 * row ends so. */
typedef int (*pages_read_cb)(struct registry_job *job, struct pages_chunk *chunk,
			     struct list_text *list, struct err *err);

/* What the job asks for: fills its text and its link. member: as the list is called. add: what
 * follows the last page, or the whole list: a second list of the name second; NULL = nothing. */
struct pages {
	const char *member;
	pages_read_cb read;
	const char *second;
	int (*add)(struct registry_job *job, cJSON *array, struct err *err);
};
int pages_answer(struct registry_job *job, const struct pages *pages, struct err *err);
