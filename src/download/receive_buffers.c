/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/receive_buffers.h"

#include <assert.h>
#include <sys/mman.h>

#include "base/macros.h"

/* About as many bytes as libcurl offers a transfer at once: the size of its buffer. */
#define OFFER_SIZE (64u << 10)

/* Room for so many blocks wakes one that waits, while more blocks are about to come back. */
#define WAKE_BLOCKS 4

static uint64_t now_ms(const struct receive_buffers *in)
{
	return uv_now(in->refill.loop);
}

static void line_init(struct receive_buffers_line *line)
{
	line->first = NULL;
	line->last = &line->first;
}

static void line_join(struct receive_buffers_line *line, struct receive_buffers_waiter *waiter)
{
	if (waiter->waiting)
		return;
	waiter->waiting = true;
	waiter->next = NULL;
	*line->last = waiter;
	line->last = &waiter->next;
}

static void line_leave(struct receive_buffers_line *line, struct receive_buffers_waiter *waiter)
{
	for (struct receive_buffers_waiter **at = &line->first; *at; at = &(*at)->next) {
		if (*at != waiter)
			continue;
		*at = waiter->next;
		if (!*at)
			line->last = at;
		waiter->waiting = false;
		return;
	}
}

static struct receive_buffers_waiter *line_take(struct receive_buffers_line *line)
{
	struct receive_buffers_waiter *waiter = line->first;

	if (waiter)
		line_leave(line, waiter);
	return waiter;
}

void receive_buffers_init(struct receive_buffers *in, uv_loop_t *loop, uint64_t rate_bps)
{
	in->free = NULL;
	in->n_blocks = 0;
	in->n_taken = 0;
	in->n_full = 0;
	in->held = 0;
	line_init(&in->for_block);
	line_init(&in->for_bandwidth);
	(void)uv_timer_init(loop, &in->refill);
	limiter_init(&in->limiter, rate_bps, now_ms(in));
}

void receive_buffers_trim(struct receive_buffers *in)
{
	while (in->free) {
		struct block *block = in->free;

		in->free = block->next;
		in->n_blocks--;
		(void)munmap(block, sizeof(*block));
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct receive_buffers *in = container_of(handle, struct receive_buffers, refill);

	in->closed(in->owner);
}

void receive_buffers_close(struct receive_buffers *in, void (*closed)(void *owner), void *owner)
{
	assert(!in->for_block.first && !in->for_bandwidth.first);
	receive_buffers_trim(in);
	assert(in->n_blocks == 0 && in->held == 0);
	in->closed = closed;
	in->owner = owner;
	uv_close((uv_handle_t *)&in->refill, on_closed);
}

static void wait_for_refill(struct receive_buffers *in);

/* Lets as many transfers receive as the budget allows, those first that have waited longest.
 * Otherwise the transfers whose bytes happen to be offered first would take all of it. */
static void on_refill(uv_timer_t *timer)
{
	struct receive_buffers *in = container_of(timer, struct receive_buffers, refill);
	uint64_t budget = limiter_budget(&in->limiter, now_ms(in));
	uint64_t granted = 0;

	while (in->for_bandwidth.first && granted < budget) {
		struct receive_buffers_waiter *waiter = line_take(&in->for_bandwidth);

		waiter->admitted = true;
		granted += OFFER_SIZE;
		waiter->ready(waiter);
	}
	if (in->for_bandwidth.first)
		wait_for_refill(in);
}

static void wait_for_refill(struct receive_buffers *in)
{
	uint64_t wait = limiter_wait_ms(&in->limiter, now_ms(in));

	if (!uv_is_active((uv_handle_t *)&in->refill))
		(void)uv_timer_start(&in->refill, on_refill, MAX(wait, 1), 0);
}

void receive_buffers_set_rate(struct receive_buffers *in, uint64_t rate_bps)
{
	limiter_set_rate(&in->limiter, rate_bps, now_ms(in));
	(void)uv_timer_stop(&in->refill);
	if (in->for_bandwidth.first)
		wait_for_refill(in);
}

bool receive_buffers_admits(struct receive_buffers *in, struct receive_buffers_waiter *waiter)
{
	bool has_turn = waiter->admitted || !in->for_bandwidth.first;

	waiter->admitted = false;
	if (has_turn && limiter_allows(&in->limiter, now_ms(in)))
		return true;
	line_join(&in->for_bandwidth, waiter);
	wait_for_refill(in);
	return false;
}

void receive_buffers_spend(struct receive_buffers *in, uint64_t bytes)
{
	limiter_spend(&in->limiter, bytes, now_ms(in));
}

/* For so many blocks there is room. */
static unsigned room(const struct receive_buffers *in)
{
	uint64_t used = (uint64_t)in->n_taken * BLOCK_SIZE + in->held;
	uint64_t all = (uint64_t)BLOCKS_MAX * BLOCK_SIZE;

	return used < all ? (unsigned)((all - used) / BLOCK_SIZE) : 0;
}

static struct block *free_or_new_block(struct receive_buffers *in)
{
	struct block *block = in->free;

	if (block) {
		in->free = block->next;
		return block;
	}
	/* mmap() and not malloc(): memory that is freed to the heap may stay with the process. */
	block = mmap(NULL, sizeof(*block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	if (block == MAP_FAILED)
		return NULL;
	in->n_blocks++;
	return block;
}

struct block *receive_buffers_take_block(struct receive_buffers *in,
					 struct receive_buffers_waiter *waiter)
{
	struct block *block = room(in) > 0 ? free_or_new_block(in) : NULL;

	if (!block) {
		line_join(&in->for_block, waiter);
		return NULL;
	}
	in->n_taken++;
	block->next = NULL;
	block->size = 0;
	return block;
}

void receive_buffers_fill_block(struct receive_buffers *in)
{
	in->n_full++;
}

/* Once no more blocks come back by themselves, each block that is there wakes one. */
static void wake(struct receive_buffers *in)
{
	unsigned each = in->n_full > 0 ? WAKE_BLOCKS : 1;
	struct receive_buffers_waiter *waiter;

	for (unsigned left = room(in); left >= each; left -= each) {
		waiter = line_take(&in->for_block);
		if (!waiter)
			return;
		waiter->ready(waiter);
	}
}

void receive_buffers_give_block(struct receive_buffers *in, struct block *block)
{
	block->next = in->free;
	in->free = block;
	in->n_taken--;
	in->n_full--;
	wake(in);
}

void receive_buffers_hold(struct receive_buffers *in, uint64_t bytes)
{
	in->held += bytes;
}

void receive_buffers_let_go(struct receive_buffers *in, uint64_t bytes)
{
	assert(bytes <= in->held);
	in->held -= bytes;
	wake(in);
}

/* It may have been woken and have taken nothing: then it is the next one's turn. */
void receive_buffers_leave(struct receive_buffers *in, struct receive_buffers_waiter *waiter)
{
	if (waiter->waiting) {
		line_leave(&in->for_block, waiter);
		line_leave(&in->for_bandwidth, waiter);
		waiter->waiting = false;
	}
	wake(in);
}
