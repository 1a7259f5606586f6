/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/sse.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sse_init(struct sse *sse, bool (*take)(void *owner, const char *event, const char *data),
	      void *owner)
{
	memset(sse, 0, sizeof(*sse));
	sse->take = take;
	sse->owner = owner;
}

void sse_release(struct sse *sse)
{
	free(sse->line);
	free(sse->data);
	memset(sse, 0, sizeof(*sse));
}

static bool end_event(struct sse *sse)
{
	bool go_on = true;

	if (sse->data)
		go_on = sse->take(sse->owner, sse->event, sse->data);
	free(sse->data);
	sse->data = NULL;
	sse->event[0] = '\0';
	return go_on;
}

static bool end_line(struct sse *sse)
{
	const char *line = sse->line;

	if (sse->size > 0 && sse->line[sse->size - 1] == '\r')
		sse->line[--sse->size] = '\0';
	if (sse->size == 0)
		return end_event(sse);
	if (strncmp(line, "event: ", 7) == 0) {
		(void)snprintf(sse->event, sizeof(sse->event), "%s", line + 7);
	} else if (strncmp(line, "data: ", 6) == 0) {
		free(sse->data);
		sse->data = strdup(line + 6);
	}
	return true;
}

static void add_char(struct sse *sse, char c)
{
	if (sse->size + 1 >= sse->room) {
		size_t room = sse->room ? 2 * sse->room : 256;
		char *larger = room <= SSE_LINE_MAX ? realloc(sse->line, room) : NULL;

		if (!larger) {
			sse->too_long = true;
			return;
		}
		sse->line = larger;
		sse->room = room;
	}
	assert(sse->line);
	sse->line[sse->size++] = c;
	sse->line[sse->size] = '\0';
}

bool sse_feed(struct sse *sse, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool go_on = true;

		if (bytes[i] != '\n') {
			if (!sse->too_long && bytes[i] != '\0')
				add_char(sse, bytes[i]);
			continue;
		}
		if (!sse->too_long)
			go_on = end_line(sse);
		sse->size = 0;
		sse->too_long = false;
		if (sse->line)
			sse->line[0] = '\0';
		if (!go_on)
			return false;
	}
	return true;
}
