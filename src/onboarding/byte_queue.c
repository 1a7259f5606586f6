/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/byte_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define ROOM_MIN ((size_t)1024)

void byte_queue_init(struct byte_queue *queue, size_t max)
{
	memset(queue, 0, sizeof(*queue));
	queue->max = max;
}

void byte_queue_release(struct byte_queue *queue)
{
	free(queue->bytes);
	memset(queue, 0, sizeof(*queue));
}

static int make_room(struct byte_queue *queue, size_t size)
{
	size_t room = MAX(queue->room, ROOM_MIN);
	uint8_t *bytes;

	if (queue->first > 0)
		memmove(queue->bytes, queue->bytes + queue->first, queue->size);
	queue->first = 0;
	while (room < size)
		room *= 2;
	if (room == queue->room)
		return 0;
	bytes = realloc(queue->bytes, room);
	if (!bytes)
		return -ENOMEM;
	queue->bytes = bytes;
	queue->room = room;
	return 0;
}

int byte_queue_put(struct byte_queue *queue, struct span bytes)
{
	int rc;

	if (bytes.size > queue->max - queue->size)
		return -ENOBUFS;
	if (bytes.size == 0)
		return 0;
	rc = make_room(queue, queue->size + bytes.size);
	if (rc < 0)
		return rc;
	memcpy(queue->bytes + queue->size, bytes.bytes, bytes.size);
	queue->size += bytes.size;
	return 0;
}

struct span byte_queue_peek(const struct byte_queue *queue)
{
	return span_of(queue->bytes ? queue->bytes + queue->first : NULL, queue->size);
}

void byte_queue_drop(struct byte_queue *queue, size_t n)
{
	assert(n <= queue->size);
	queue->first += n;
	queue->size -= n;
	/* A thousand connections may wait without any bytes, so an empty queue keeps no memory. */
	if (queue->size == 0) {
		free(queue->bytes);
		byte_queue_init(queue, queue->max);
	}
}
