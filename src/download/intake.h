/* intake.h - what all transfers share: blocks of memory and the bandwidth budget.
 *
 * Received bytes wait in 256 KiB blocks, of which there are 28 (7 MiB) whatever the number of
 * requests and the size of pieces (docs/download.md, "Fetch"). A transfer that gets no block, or
 * may not receive because of the bandwidth limit, pauses and waits here in line; ready() tells it
 * to try again.
 *
 * Verified bytes that no journal has yet count as if they still filled blocks. So both together
 * are what a kill can lose, but for the beginnings of pieces, however slow the disk is.
 *
 * Calling sequence: intake_init -> ... -> intake_close, when nobody waits or holds a block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "download/limiter.h"

#define BLOCK_SIZE (256u << 10)
#define BLOCKS_MAX 28

struct block {
	struct block *next;
	uint64_t offset; /* in the image */
	uint32_t size;   /* bytes filled */
	uint8_t bytes[BLOCK_SIZE];
};

/* Embedded in who waits. ready() tries again later: it ends no transfer itself. */
struct intake_waiter {
	void (*ready)(struct intake_waiter *waiter);
	struct intake_waiter *next;
	bool waiting;
	bool admitted; /* its turn for bandwidth has come, and it has not asked again yet */
};

struct intake_line {
	struct intake_waiter *first;
	struct intake_waiter **last;
};

struct intake {
	struct limiter limiter;
	uv_timer_t refill;
	struct block *free;
	unsigned n_blocks; /* allocated so far */
	unsigned n_taken;  /* of them */
	uint64_t held;     /* bytes that count as blocks */
	struct intake_line for_block;
	struct intake_line for_bandwidth;
	void (*closed)(void *owner);
	void *owner;
};

/* rate_bps: bits a second, 0 = unlimited. */
void intake_init(struct intake *in, uv_loop_t *loop, uint64_t rate_bps);
void intake_set_rate(struct intake *in, uint64_t rate_bps);
void intake_close(struct intake *in, void (*closed)(void *owner), void *owner);

/* May bytes be received now? If not, waiter is told when to ask again. */
bool intake_admits(struct intake *in, struct intake_waiter *waiter);
void intake_spend(struct intake *in, uint64_t bytes);

/* An empty block, or NULL: then waiter is told when to ask again. */
struct block *intake_take_block(struct intake *in, struct intake_waiter *waiter);
void intake_give_block(struct intake *in, struct block *block);

/* Give the memory of the blocks that nobody has back to the system. To take them anew costs more
 * than to keep them: for the end of a download. */
void intake_trim(struct intake *in);

/* Bytes are verified, or later in a journal or dropped. */
void intake_hold(struct intake *in, uint64_t bytes);
void intake_let_go(struct intake *in, uint64_t bytes);

/* Whoever ends while waiting leaves the line. */
void intake_leave(struct intake *in, struct intake_waiter *waiter);
