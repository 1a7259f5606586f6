/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread of its own: in order, done on the loop, and nobody else's trouble. */
#include "support.h"

#include <unistd.h>

#include "base/macros.h"
#include "base/work_pool.h"

#define N 200

struct world {
	uv_loop_t loop;
	struct work_pool *pool;
	struct work jobs[N];
	struct work other;
	uv_sem_t go;
	uv_thread_t runs_on;
	unsigned order[N];
	unsigned n_run;
	unsigned n_done;
	unsigned n_told;
	bool other_is_done;
	bool closed;
};

static struct world world;

static void run(struct work *work)
{
	world.runs_on = uv_thread_self();
	world.order[world.n_run++] = (unsigned)(work - world.jobs);
}

static void done(struct work *work)
{
	assert_int_equal(work - world.jobs, world.n_done);
	world.n_done++;
}

static void told(void *owner)
{
	((struct world *)owner)->n_told++;
}

static void on_closed(void *owner)
{
	((struct world *)owner)->closed = true;
}

static int set_up(void **state)
{
	struct err err;

	(void)state;
	memset(&world, 0, sizeof(world));
	assert_int_equal(uv_loop_init(&world.loop), 0);
	assert_int_equal(uv_sem_init(&world.go, 0), 0);
	return work_pool_open(&world.pool, &world.loop, told, &world, &err);
}

static int tear_down(void **state)
{
	(void)state;
	work_pool_close(world.pool, on_closed, &world);
	test_run_until(&world.loop, &world.closed);
	test_close_loop(&world.loop);
	uv_sem_destroy(&world.go);
	return 0;
}

static void run_until_done(unsigned n)
{
	while (world.n_done < n)
		(void)uv_run(&world.loop, UV_RUN_ONCE);
}

static void test_in_order(void **state)
{
	const uv_thread_t self = uv_thread_self();

	(void)state;
	for (unsigned i = 0; i < N; i++)
		work_pool_submit(world.pool, &world.loop, &world.jobs[i], run, done);
	run_until_done(N);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(world.order[i], i);
	assert_int_equal(world.n_told, N);
	assert_false(uv_thread_equal(&world.runs_on, &self));
}

static void hang(struct work *work)
{
	(void)work;
	uv_sem_wait(&world.go);
	world.n_run++;
}

static void run_other(struct work *work)
{
	(void)work;
}

static void other_done(struct work *work)
{
	(void)work;
	world.other_is_done = true;
}

/* As many as libuv's pool has threads, and more. */
static void test_what_hangs_holds_up_nobody_else(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++)
		work_pool_submit(world.pool, &world.loop, &world.jobs[i], hang, done);
	work_submit(&world.loop, &world.other, run_other, other_done);
	test_run_until(&world.loop, &world.other_is_done);
	assert_int_equal(world.n_done, 0);
	for (unsigned i = 0; i < 16; i++)
		uv_sem_post(&world.go);
	run_until_done(16);
	assert_int_equal(world.n_run, 16);
}

static void submit_next(struct work *work)
{
	done(work);
	if (world.n_done < 5)
		work_pool_submit(world.pool, &world.loop, &world.jobs[world.n_done], run,
				 submit_next);
}

static void test_one_after_the_other(void **state)
{
	(void)state;
	work_pool_submit(world.pool, &world.loop, &world.jobs[0], run, submit_next);
	run_until_done(5);
	assert_int_equal(world.n_run, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_hangs_holds_up_nobody_else, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_one_after_the_other, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
