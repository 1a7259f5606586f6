/* Blocks and bandwidth, shared by all: bounded, in turn, and nothing left behind. */
#include "support.h"

#include "core/macros.h"
#include "download/intake.h"

struct reader {
	struct intake_waiter waiter;
	struct world *world;
	unsigned told;
	uint64_t bytes;
};

struct world {
	uv_loop_t loop;
	struct intake intake;
	struct reader readers[4];
	bool enough;
};

static void on_closed(void *owner)
{
	(void)owner;
}

static void on_told(struct intake_waiter *waiter)
{
	container_of(waiter, struct reader, waiter)->told++;
}

static struct world *new_world(uint64_t rate_bps)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	intake_init(&w->intake, &w->loop, rate_bps);
	for (unsigned i = 0; i < N_ELEMENTS(w->readers); i++) {
		w->readers[i].waiter.ready = on_told;
		w->readers[i].world = w;
	}
	return w;
}

static void end_world(struct world *w)
{
	intake_close(&w->intake, on_closed, w);
	test_close_loop(&w->loop);
	free(w);
}

static void test_blocks_are_bounded_and_given_in_turn(void **state)
{
	struct world *w = new_world(0);
	struct block *blocks[BLOCKS_MAX];
	struct block *given;

	(void)state;
	for (unsigned i = 0; i < BLOCKS_MAX; i++) {
		blocks[i] = intake_take_block(&w->intake, &w->readers[0].waiter);
		assert_non_null(blocks[i]);
		assert_int_equal(blocks[i]->size, 0);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_null(intake_take_block(&w->intake, &w->readers[i].waiter));
	intake_leave(&w->intake, &w->readers[1].waiter);
	intake_give_block(&w->intake, blocks[0]);
	assert_int_equal(w->readers[0].told, 1);
	assert_int_equal(w->readers[2].told, 0);
	given = intake_take_block(&w->intake, &w->readers[0].waiter);
	assert_ptr_equal(given, blocks[0]);
	intake_give_block(&w->intake, given);
	assert_int_equal(w->intake.n_blocks, BLOCKS_MAX);
	assert_int_equal(w->readers[1].told, 0); /* it has left */
	assert_int_equal(w->readers[2].told, 1);
	for (unsigned i = 1; i < BLOCKS_MAX; i++)
		intake_give_block(&w->intake, blocks[i]);
	given = intake_take_block(&w->intake, &w->readers[0].waiter);
	intake_trim(&w->intake);
	assert_int_equal(w->intake.n_blocks, 1); /* somebody has it: it stays */
	intake_give_block(&w->intake, given);
	end_world(w);
}

/* Verified bytes that no journal has take the place of blocks, and more of them than there are. */
static void test_held_bytes_count_as_blocks(void **state)
{
	struct world *w = new_world(0);
	struct block *blocks[2];

	(void)state;
	intake_hold(&w->intake, (uint64_t)(BLOCKS_MAX - 2) * BLOCK_SIZE);
	for (unsigned i = 0; i < 2; i++)
		blocks[i] = intake_take_block(&w->intake, &w->readers[0].waiter);
	assert_non_null(blocks[1]);
	assert_null(intake_take_block(&w->intake, &w->readers[0].waiter));
	assert_null(intake_take_block(&w->intake, &w->readers[1].waiter));
	intake_hold(&w->intake, 64 * BLOCK_SIZE); /* a large piece is whole */
	intake_give_block(&w->intake, blocks[0]);
	assert_int_equal(w->readers[0].told, 1);
	assert_null(intake_take_block(&w->intake, &w->readers[0].waiter));
	intake_let_go(&w->intake, (uint64_t)(BLOCKS_MAX - 2 + 64) * BLOCK_SIZE);
	assert_int_equal(w->readers[0].told, 2);
	assert_int_equal(w->readers[1].told, 1);
	blocks[0] = intake_take_block(&w->intake, &w->readers[1].waiter);
	assert_non_null(blocks[0]);
	for (unsigned i = 0; i < 2; i++)
		intake_give_block(&w->intake, blocks[i]);
	end_world(w);
}

static void receive(struct intake_waiter *waiter)
{
	struct reader *reader = container_of(waiter, struct reader, waiter);
	struct world *w = reader->world;
	uint64_t total = 0;

	while (!w->enough && intake_admits(&w->intake, waiter)) {
		intake_spend(&w->intake, 65536);
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
		intake_leave(&w->intake, &w->readers[i].waiter);
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
	assert_true(intake_admits(&w->intake, &reader->waiter));
	intake_spend(&w->intake, 1000000);
	assert_false(intake_admits(&w->intake, &reader->waiter));
	intake_set_rate(&w->intake, 0);
	for (unsigned i = 0; i < 100 && reader->told == 0; i++)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	assert_int_equal(reader->told, 1);
	assert_true(intake_admits(&w->intake, &reader->waiter));
	intake_leave(&w->intake, &reader->waiter);
	end_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_are_bounded_and_given_in_turn),
		cmocka_unit_test(test_held_bytes_count_as_blocks),
		cmocka_unit_test(test_bandwidth_is_shared),
		cmocka_unit_test(test_new_rate_wakes_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
