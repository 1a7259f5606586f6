/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks and bandwidth, shared by all: bounded, in turn, and nothing left behind. */
#include "support.h"

#include "base/macros.h"
#include "download/receive_buffers.h"

struct reader {
	struct receive_buffers_waiter waiter;
	struct world *world;
	unsigned told;
	uint64_t bytes;
};

struct world {
	uv_loop_t loop;
	struct receive_buffers buffers;
	struct reader readers[4];
	bool enough;
};

static void on_closed(void *owner)
{
	(void)owner;
}

static void on_told(struct receive_buffers_waiter *waiter)
{
	container_of(waiter, struct reader, waiter)->told++;
}

static struct world *new_world(uint64_t rate_bps)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	receive_buffers_init(&w->buffers, &w->loop, rate_bps);
	for (unsigned i = 0; i < N_ELEMENTS(w->readers); i++) {
		w->readers[i].waiter.ready = on_told;
		w->readers[i].world = w;
	}
	return w;
}

static void end_world(struct world *w)
{
	receive_buffers_close(&w->buffers, on_closed, w);
	test_close_loop(&w->loop);
	free(w);
}

/* It was full, and has been written. */
static void give(struct receive_buffers *buffers, struct block *block)
{
	receive_buffers_fill_block(buffers);
	receive_buffers_give_block(buffers, block);
}

static void test_blocks_are_bounded_and_given_in_turn(void **state)
{
	struct world *w = new_world(0);
	struct block *blocks[BLOCKS_MAX];
	struct block *given;

	(void)state;
	for (unsigned i = 0; i < BLOCKS_MAX; i++) {
		blocks[i] = receive_buffers_take_block(&w->buffers, &w->readers[0].waiter);
		assert_non_null(blocks[i]);
		assert_int_equal(blocks[i]->size, 0);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_null(receive_buffers_take_block(&w->buffers, &w->readers[i].waiter));
	receive_buffers_leave(&w->buffers, &w->readers[1].waiter);
	give(&w->buffers, blocks[0]);
	assert_int_equal(w->readers[0].told, 1);
	assert_int_equal(w->readers[2].told, 0);
	given = receive_buffers_take_block(&w->buffers, &w->readers[0].waiter);
	assert_ptr_equal(given, blocks[0]);
	give(&w->buffers, given);
	assert_int_equal(w->buffers.n_blocks, BLOCKS_MAX);
	assert_int_equal(w->readers[1].told, 0); /* it has left */
	assert_int_equal(w->readers[2].told, 1);
	for (unsigned i = 1; i < BLOCKS_MAX; i++)
		give(&w->buffers, blocks[i]);
	given = receive_buffers_take_block(&w->buffers, &w->readers[0].waiter);
	receive_buffers_trim(&w->buffers);
	assert_int_equal(w->buffers.n_blocks, 1); /* somebody has it: it stays */
	give(&w->buffers, given);
	end_world(w);
}

/* Verified bytes that no journal has take the place of blocks, and more of them than there are. */
static void test_held_bytes_count_as_blocks(void **state)
{
	struct world *w = new_world(0);
	struct block *blocks[2];

	(void)state;
	receive_buffers_hold(&w->buffers, (uint64_t)(BLOCKS_MAX - 2) * BLOCK_SIZE);
	for (unsigned i = 0; i < 2; i++)
		blocks[i] = receive_buffers_take_block(&w->buffers, &w->readers[0].waiter);
	assert_non_null(blocks[1]);
	assert_null(receive_buffers_take_block(&w->buffers, &w->readers[0].waiter));
	assert_null(receive_buffers_take_block(&w->buffers, &w->readers[1].waiter));
	receive_buffers_hold(&w->buffers, 64 * BLOCK_SIZE); /* a large piece is whole */
	give(&w->buffers, blocks[0]);
	assert_int_equal(w->readers[0].told, 0); /* there is no room for it */
	receive_buffers_let_go(&w->buffers, (uint64_t)(BLOCKS_MAX - 2 + 64) * BLOCK_SIZE);
	assert_int_equal(w->readers[0].told, 1);
	assert_int_equal(w->readers[1].told, 1);
	blocks[0] = receive_buffers_take_block(&w->buffers, &w->readers[1].waiter);
	assert_non_null(blocks[0]);
	for (unsigned i = 0; i < 2; i++)
		give(&w->buffers, blocks[i]);
	end_world(w);
}

/* A pause has its price, so one that waits is woken when there is room for a few blocks; but when
 * no more come back by themselves, then for as many as there are. */
static void test_few_wakes(void **state)
{
	struct world *w = new_world(0);
	struct block *blocks[BLOCKS_MAX];

	(void)state;
	for (unsigned i = 0; i < BLOCKS_MAX; i++)
		blocks[i] = receive_buffers_take_block(&w->buffers, &w->readers[0].waiter);
	for (unsigned i = 0; i < 3; i++)
		assert_null(receive_buffers_take_block(&w->buffers, &w->readers[i].waiter));
	for (unsigned i = 0; i < 5; i++)
		receive_buffers_fill_block(&w->buffers);
	for (unsigned i = 0; i < 3; i++)
		receive_buffers_give_block(&w->buffers, blocks[i]);
	assert_int_equal(w->readers[0].told, 0);
	receive_buffers_give_block(&w->buffers, blocks[3]);
	assert_int_equal(w->readers[0].told, 1);
	assert_int_equal(w->readers[1].told, 0);
	receive_buffers_give_block(&w->buffers, blocks[4]);
	assert_int_equal(w->readers[1].told, 1);
	assert_int_equal(w->readers[2].told, 1);
	for (unsigned i = 5; i < BLOCKS_MAX; i++)
		give(&w->buffers, blocks[i]);
	end_world(w);
}

/* One that is woken and ends, and takes nothing, leaves its turn to the next. */
static void test_turn_of_one_that_ends(void **state)
{
	struct world *w = new_world(0);
	struct block *blocks[BLOCKS_MAX];

	(void)state;
	for (unsigned i = 0; i < BLOCKS_MAX; i++)
		blocks[i] = receive_buffers_take_block(&w->buffers, &w->readers[0].waiter);
	for (unsigned i = 0; i < 2; i++)
		assert_null(receive_buffers_take_block(&w->buffers, &w->readers[i].waiter));
	give(&w->buffers, blocks[0]);
	assert_int_equal(w->readers[0].told, 1);
	assert_int_equal(w->readers[1].told, 0);
	receive_buffers_leave(&w->buffers, &w->readers[0].waiter);
	assert_int_equal(w->readers[1].told, 1);
	for (unsigned i = 1; i < BLOCKS_MAX; i++)
		give(&w->buffers, blocks[i]);
	end_world(w);
}

static void receive(struct receive_buffers_waiter *waiter)
{
	struct reader *reader = container_of(waiter, struct reader, waiter);
	struct world *w = reader->world;
	uint64_t total = 0;

	while (!w->enough && receive_buffers_admits(&w->buffers, waiter)) {
		receive_buffers_spend(&w->buffers, 65536);
		reader->bytes += 65536;
		for (unsigned i = 0; i < N_ELEMENTS(w->readers); i++)
			total += w->readers[i].bytes;
		w->enough = total >= 4 << 20;
	}
}

/* Reads are larger than what 50 ms bring: who is told first would get everything. */
static void test_bandwidth_is_shared(void **state)
{
	struct world *w = new_world(40000000); /* 5 MB/s */
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(w->readers); i++) {
		w->readers[i].waiter.ready = receive;
		receive(&w->readers[i].waiter);
	}
	test_run_until(&w->loop, &w->enough);
	for (unsigned i = 0; i < N_ELEMENTS(w->readers); i++) {
		least = MIN(least, w->readers[i].bytes);
		most = MAX(most, w->readers[i].bytes);
		receive_buffers_leave(&w->buffers, &w->readers[i].waiter);
	}
	assert_true(least > 0);
	assert_true(most - least <= 8 * 65536); /* what the first burst may give one alone */
	end_world(w);
}

static void test_new_rate_wakes_who_waits(void **state)
{
	struct world *w = new_world(8000); /* 1000 bytes a second */
	struct reader *reader = &w->readers[0];

	(void)state;
	assert_true(receive_buffers_admits(&w->buffers, &reader->waiter));
	receive_buffers_spend(&w->buffers, 1000000);
	assert_false(receive_buffers_admits(&w->buffers, &reader->waiter));
	receive_buffers_set_rate(&w->buffers, 0);
	for (unsigned i = 0; i < 100 && reader->told == 0; i++)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	assert_int_equal(reader->told, 1);
	assert_true(receive_buffers_admits(&w->buffers, &reader->waiter));
	receive_buffers_leave(&w->buffers, &reader->waiter);
	end_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_are_bounded_and_given_in_turn),
		cmocka_unit_test(test_held_bytes_count_as_blocks),
		cmocka_unit_test(test_few_wakes),
		cmocka_unit_test(test_turn_of_one_that_ends),
		cmocka_unit_test(test_bandwidth_is_shared),
		cmocka_unit_test(test_new_rate_wakes_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
