/* SPDX-License-Identifier: GPL-3.0-or-later */
/* list_text.h - a list of JSON that is printed while it is read, so that only its text is in memory
 * and not each of its values.
 *
 * Calling sequence: list_text_begin -> list_text_add ... -> list_text_end, or list_text_release.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/err.h"

struct list_text {
	char *text;
	size_t size;
	size_t room;
	size_t n; /* items */
};

/* member: the one of the object that has the list. -ENOMEM, of all. */
int list_text_begin(struct list_text *list, const char *member, struct err *err);
/* item is taken. */
int list_text_add(struct list_text *list, cJSON *item, struct err *err);
/* member: of a second list that follows, NULL = none. It is taken. */
int list_text_end(struct list_text *list, const char *member, cJSON *second, struct err *err);
void list_text_release(struct list_text *list);
