/* SPDX-License-Identifier: GPL-3.0-or-later */
/* receive_buffers.h - what all transfers share: blocks of memory and the bandwidth budget.
 *
 * Received bytes wait in 256 KiB blocks, of which there are 28 (7 MiB) whatever the number of
 * requests and the size of pieces (docs/download.md, "Fetch"). A transfer that gets no block, or
 * may not receive because of the bandwidth limit, pauses and waits here in line; ready() tells it
 * to try again.
 *
 * Verified bytes that no journal has yet count as if they still filled blocks. So both together
 * are what a kill can lose, but for the beginnings of pieces, however slow the disk is.
 *
 * Calling sequence: receive_buffers_init -> ... -> receive_buffers_close, when nobody waits or
 * holds a block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "download/engine/limiter.h"
#include "download/image/image_file.h"

#define BLOCK_SIZE IMAGE_WRITE_MAX
#define BLOCKS_MAX 28

struct block {
	struct block *next;
	uint64_t offset; /* in the image */
	uint32_t size;   /* bytes filled */
	uint8_t bytes[BLOCK_SIZE];
};

/* Embedded in a user that waits. ready() makes it try again, and must not end a transfer itself. */
struct receive_buffers_waiter {
	void (*ready)(struct receive_buffers_waiter *waiter);
	struct receive_buffers_waiter *next;
	bool waiting;
	bool admitted; /* its turn for bandwidth has come, and it has not asked again since */
};

struct receive_buffers_line {
	struct receive_buffers_waiter *first;
	struct receive_buffers_waiter **last;
};

struct receive_buffers {
	struct limiter limiter;
	uv_timer_t refill;
	struct block *free;
	unsigned n_blocks; /* allocated so far */
	unsigned n_taken;  /* of them */
	unsigned n_full;   /* of these: they come back once they are written */
	uint64_t held;     /* bytes that count as blocks */
	struct receive_buffers_line for_block;
	struct receive_buffers_line for_bandwidth;
	void (*closed)(void *owner);
	void *owner;
};

/* rate_bps: bits a second, 0 = unlimited. */
void receive_buffers_init(struct receive_buffers *in, uv_loop_t *loop, uint64_t rate_bps);
void receive_buffers_set_rate(struct receive_buffers *in, uint64_t rate_bps);
void receive_buffers_close(struct receive_buffers *in, void (*closed)(void *owner), void *owner);

/* May bytes be received now? If not, ready() of waiter is called when to ask again. */
bool receive_buffers_admits(struct receive_buffers *in, struct receive_buffers_waiter *waiter);
void receive_buffers_spend(struct receive_buffers *in, uint64_t bytes);

/* An empty block, or NULL: then ready() of waiter is called when to ask again: as soon as there is
 * room for a few, since each pause of a transfer has its price. */
struct block *receive_buffers_take_block(struct receive_buffers *in,
					 struct receive_buffers_waiter *waiter);
/* Its user has no more bytes for it: it will be given back as soon as the disk has them. */
void receive_buffers_fill_block(struct receive_buffers *in);
void receive_buffers_give_block(struct receive_buffers *in, struct block *block);

/* Returns the memory of free blocks to the system. Allocating them again costs more than keeping
 * them, so this is for the end of a download. */
void receive_buffers_trim(struct receive_buffers *in);

/* Bytes are verified and in no journal yet; later they are in the journal, or dropped. */
void receive_buffers_hold(struct receive_buffers *in, uint64_t bytes);
void receive_buffers_let_go(struct receive_buffers *in, uint64_t bytes);

/* To be called by a user that ends while it waits. */
void receive_buffers_leave(struct receive_buffers *in, struct receive_buffers_waiter *waiter);
