#include "download/intake.h"

#include <assert.h>
#include <sys/mman.h>

#include "core/macros.h"

/* What a transfer is offered in one go, about: libcurl's buffer. */
#define OFFER_SIZE (64u << 10)

static uint64_t now_ms(const struct intake *in)
{
	return uv_now(in->refill.loop);
}

static void line_init(struct intake_line *line)
{
	line->first = NULL;
	line->last = &line->first;
}

static void line_join(struct intake_line *line, struct intake_waiter *waiter)
{
	if (waiter->waiting)
		return;
	waiter->waiting = true;
	waiter->next = NULL;
	*line->last = waiter;
	line->last = &waiter->next;
}

static void line_leave(struct intake_line *line, struct intake_waiter *waiter)
{
	for (struct intake_waiter **at = &line->first; *at; at = &(*at)->next) {
		if (*at != waiter)
			continue;
		*at = waiter->next;
		if (!*at)
			line->last = at;
		waiter->waiting = false;
		return;
	}
}

static struct intake_waiter *line_take(struct intake_line *line)
{
	struct intake_waiter *waiter = line->first;

	if (waiter)
		line_leave(line, waiter);
	return waiter;
}

void intake_init(struct intake *in, uv_loop_t *loop, uint64_t rate_bps)
{
	in->free = NULL;
	in->n_blocks = 0;
	in->n_taken = 0;
	in->held = 0;
	line_init(&in->for_block);
	line_init(&in->for_bandwidth);
	(void)uv_timer_init(loop, &in->refill);
	limiter_init(&in->limiter, rate_bps, now_ms(in));
}

void intake_trim(struct intake *in)
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
	struct intake *in = container_of(handle, struct intake, refill);

	in->closed(in->owner);
}

void intake_close(struct intake *in, void (*closed)(void *owner), void *owner)
{
	assert(!in->for_block.first && !in->for_bandwidth.first);
	intake_trim(in);
	assert(in->n_blocks == 0 && in->held == 0);
	in->closed = closed;
	in->owner = owner;
	uv_close((uv_handle_t *)&in->refill, on_closed);
}

static void wait_for_refill(struct intake *in);

/* As many as there is budget for have their turn, first come, first served: else those whose
 * bytes happen to be offered first would take it all. */
static void on_refill(uv_timer_t *timer)
{
	struct intake *in = container_of(timer, struct intake, refill);
	uint64_t budget = limiter_budget(&in->limiter, now_ms(in));
	uint64_t granted = 0;

	while (in->for_bandwidth.first && granted < budget) {
		struct intake_waiter *waiter = line_take(&in->for_bandwidth);

		waiter->admitted = true;
		granted += OFFER_SIZE;
		waiter->ready(waiter);
	}
	if (in->for_bandwidth.first)
		wait_for_refill(in);
}

static void wait_for_refill(struct intake *in)
{
	uint64_t wait = limiter_wait_ms(&in->limiter, now_ms(in));

	if (!uv_is_active((uv_handle_t *)&in->refill))
		(void)uv_timer_start(&in->refill, on_refill, MAX(wait, 1), 0);
}

void intake_set_rate(struct intake *in, uint64_t rate_bps)
{
	limiter_set_rate(&in->limiter, rate_bps, now_ms(in));
	(void)uv_timer_stop(&in->refill);
	if (in->for_bandwidth.first)
		wait_for_refill(in);
}

bool intake_admits(struct intake *in, struct intake_waiter *waiter)
{
	bool has_turn = waiter->admitted || !in->for_bandwidth.first;

	waiter->admitted = false;
	if (has_turn && limiter_allows(&in->limiter, now_ms(in)))
		return true;
	line_join(&in->for_bandwidth, waiter);
	wait_for_refill(in);
	return false;
}

void intake_spend(struct intake *in, uint64_t bytes)
{
	limiter_spend(&in->limiter, bytes, now_ms(in));
}

static bool has_room(const struct intake *in)
{
	uint64_t taken = (uint64_t)in->n_taken * BLOCK_SIZE;

	return taken + in->held + BLOCK_SIZE <= (uint64_t)BLOCKS_MAX * BLOCK_SIZE;
}

static struct block *free_or_new_block(struct intake *in)
{
	struct block *block = in->free;

	if (block) {
		in->free = block->next;
		return block;
	}
	/* Not from the heap: what is given back there stays with the process. */
	block = mmap(NULL, sizeof(*block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	if (block == MAP_FAILED)
		return NULL;
	in->n_blocks++;
	return block;
}

struct block *intake_take_block(struct intake *in, struct intake_waiter *waiter)
{
	struct block *block = has_room(in) ? free_or_new_block(in) : NULL;

	if (!block) {
		line_join(&in->for_block, waiter);
		return NULL;
	}
	in->n_taken++;
	block->next = NULL;
	block->size = 0;
	return block;
}

void intake_give_block(struct intake *in, struct block *block)
{
	struct intake_waiter *waiter;

	block->next = in->free;
	in->free = block;
	in->n_taken--;
	waiter = line_take(&in->for_block);
	if (waiter)
		waiter->ready(waiter);
}

void intake_hold(struct intake *in, uint64_t bytes)
{
	in->held += bytes;
}

/* Whoever finds no room after all joins a new line behind those who are told here. */
void intake_let_go(struct intake *in, uint64_t bytes)
{
	struct intake_line line = in->for_block;
	struct intake_waiter *waiter;

	assert(bytes <= in->held);
	in->held -= bytes;
	if (bytes == 0 || !line.first)
		return;
	line_init(&in->for_block);
	while ((waiter = line_take(&line)))
		waiter->ready(waiter);
}

void intake_leave(struct intake *in, struct intake_waiter *waiter)
{
	if (!waiter->waiting)
		return;
	line_leave(&in->for_block, waiter);
	line_leave(&in->for_bandwidth, waiter);
	waiter->waiting = false;
}
