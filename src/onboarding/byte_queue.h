/* SPDX-License-Identifier: GPL-3.0-or-later */
/* byte_queue.h - bytes that wait: appended at the end, taken from the front, never more than a
 * maximum.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct byte_queue {
	uint8_t *bytes; /* owned; NULL while nothing waits */
	size_t room;
	size_t first;
	size_t size;
	size_t max;
};

void byte_queue_init(struct byte_queue *queue, size_t max);
void byte_queue_release(struct byte_queue *queue);

/* All of it or nothing. -ENOBUFS (more than max would wait), -ENOMEM. */
int byte_queue_put(struct byte_queue *queue, struct span bytes);
/* What waits; valid until the next put or drop. */
struct span byte_queue_peek(const struct byte_queue *queue);
void byte_queue_drop(struct byte_queue *queue, size_t n);
