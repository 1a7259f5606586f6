/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sse.h - server-sent events, put together from whatever pieces they arrive in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SSE_LINE_MAX (1u << 20) /* a longer line is passed over */

struct sse {
	char *line; /* what came of the present one; owned */
	size_t size;
	size_t room;
	bool too_long;
	char event[32]; /* of the present event */
	char *data;     /* likewise; owned */
	/* Returns false to stop. */
	bool (*take)(void *owner, const char *event, const char *data);
	void *owner;
};

void sse_init(struct sse *sse, bool (*take)(void *owner, const char *event, const char *data),
	      void *owner);
/* Returns false once take has returned false. */
bool sse_feed(struct sse *sse, const char *bytes, size_t n);
void sse_release(struct sse *sse);
