/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/work_pool.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/macros.h"

struct queue {
	struct work *first;
	struct work **end;
};

struct work_pool {
	uv_thread_t thread;
	uv_async_t wake_loop;
	uv_mutex_t lock; /* of these: */
	uv_cond_t wake_thread;
	struct queue waiting;
	struct queue over;
	bool ends;
	size_t n; /* the loop's: submitted, and not done */
	void (*done)(void *owner);
	void *done_owner;
	void (*closed)(void *owner);
	void *owner;
};

static void put(struct queue *queue, struct work *work)
{
	work->next = NULL;
	*queue->end = work;
	queue->end = &work->next;
}

static struct work *take(struct queue *queue)
{
	struct work *work = queue->first;

	if (!work)
		return NULL;
	queue->first = work->next;
	if (!queue->first)
		queue->end = &queue->first;
	return work;
}

/* Returns NULL when the pool ends. */
static struct work *wait_for_job(struct work_pool *pool)
{
	struct work *work;

	uv_mutex_lock(&pool->lock);
	while (!(work = take(&pool->waiting)) && !pool->ends)
		uv_cond_wait(&pool->wake_thread, &pool->lock);
	uv_mutex_unlock(&pool->lock);
	return work;
}

static void run_thread(void *argument)
{
	struct work_pool *pool = argument;
	struct work *work;

	while ((work = wait_for_job(pool))) {
		work->run(work);
		uv_mutex_lock(&pool->lock);
		put(&pool->over, work);
		uv_mutex_unlock(&pool->lock);
		(void)uv_async_send(&pool->wake_loop);
	}
}

static struct work *take_over(struct work_pool *pool)
{
	struct work *work;

	uv_mutex_lock(&pool->lock);
	work = take(&pool->over);
	uv_mutex_unlock(&pool->lock);
	return work;
}

static void on_over(uv_async_t *async)
{
	struct work_pool *pool = container_of(async, struct work_pool, wake_loop);
	struct work *work;

	/* The last done() may close the pool, so the pool is not touched after it. */
	while (pool->n > 0 && (work = take_over(pool))) {
		pool->n--;
		work->done(work);
		if (pool->done)
			pool->done(pool->done_owner);
	}
}

int work_pool_open(struct work_pool **ret, uv_loop_t *loop, void (*done)(void *owner), void *owner,
		   struct err *err)
{
	struct work_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return err_set(err, -ENOMEM, "out of memory");
	pool->waiting.end = &pool->waiting.first;
	pool->over.end = &pool->over.first;
	pool->done = done;
	pool->done_owner = owner;
	(void)uv_mutex_init(&pool->lock);
	(void)uv_cond_init(&pool->wake_thread);
	if (uv_thread_create(&pool->thread, run_thread, pool) != 0) {
		uv_cond_destroy(&pool->wake_thread);
		uv_mutex_destroy(&pool->lock);
		free(pool);
		return err_set(err, -EAGAIN, "a thread cannot be started");
	}
	(void)uv_async_init(loop, &pool->wake_loop, on_over);
	*ret = pool;
	return 0;
}

void work_pool_submit(struct work_pool *pool, uv_loop_t *loop, struct work *work, work_cb run,
		      work_cb done)
{
	if (!pool) {
		work_submit(loop, work, run, done);
		return;
	}
	work->run = run;
	work->done = done;
	pool->n++;
	uv_mutex_lock(&pool->lock);
	put(&pool->waiting, work);
	uv_cond_signal(&pool->wake_thread);
	uv_mutex_unlock(&pool->lock);
}

static void on_closed(uv_handle_t *handle)
{
	struct work_pool *pool = container_of((uv_async_t *)handle, struct work_pool, wake_loop);
	void (*closed)(void *owner) = pool->closed;
	void *owner = pool->owner;

	uv_cond_destroy(&pool->wake_thread);
	uv_mutex_destroy(&pool->lock);
	free(pool);
	closed(owner);
}

void work_pool_close(struct work_pool *pool, void (*closed)(void *owner), void *owner)
{
	assert(pool->n == 0);
	uv_mutex_lock(&pool->lock);
	pool->ends = true;
	uv_cond_signal(&pool->wake_thread);
	uv_mutex_unlock(&pool->lock);
	(void)uv_thread_join(&pool->thread); /* it has nothing to do any more */
	pool->closed = closed;
	pool->owner = owner;
	uv_close((uv_handle_t *)&pool->wake_loop, on_closed);
}
