/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/read_once.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

#define READERS_MAX 4
#define BLOCK_SIZE  (1u << 20)
#define BLOCKS      4u

struct reading;

struct reader_thread {
	struct reading *reading;
	const struct reader *reader;
	pthread_t thread;
	uint64_t taken; /* blocks */
};

struct reading {
	pthread_mutex_t lock; /* held for all below */
	pthread_cond_t changed;
	uint8_t *blocks;
	size_t sizes[BLOCKS];
	uint64_t filled; /* blocks */
	bool ended;      /* no more blocks come */
	int rc;          /* of the first who failed */
	struct err err;
	struct reader_thread threads[READERS_MAX];
	unsigned n;
};

static void fail(struct reading *r, int rc, const struct err *err)
{
	(void)pthread_mutex_lock(&r->lock);
	if (r->rc == 0) {
		r->rc = rc;
		r->err = *err;
	}
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

/* Waits for the next block. Returns false if there is none. */
static bool next_block(struct reader_thread *t, struct span *ret)
{
	struct reading *r = t->reading;
	bool more;

	(void)pthread_mutex_lock(&r->lock);
	while (r->rc == 0 && t->taken == r->filled && !r->ended)
		(void)pthread_cond_wait(&r->changed, &r->lock);
	more = r->rc == 0 && t->taken < r->filled;
	if (more)
		*ret = span_of(r->blocks + t->taken % BLOCKS * BLOCK_SIZE,
			       r->sizes[t->taken % BLOCKS]);
	(void)pthread_mutex_unlock(&r->lock);
	return more;
}

static void *run_reader(void *argument)
{
	struct reader_thread *t = argument;
	struct reading *r = t->reading;
	struct span block;
	struct err err = {0};

	while (next_block(t, &block)) {
		int rc = t->reader->take(t->reader->owner, block, &err);

		if (rc < 0) {
			fail(r, rc, &err);
			return NULL;
		}
		(void)pthread_mutex_lock(&r->lock);
		t->taken++;
		(void)pthread_cond_broadcast(&r->changed);
		(void)pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

static bool has_room(const struct reading *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->filled - r->threads[i].taken == BLOCKS)
			return false;
	return true;
}

/* Waits until the slowest reader has done with the block that is filled next. */
static bool wait_for_room(struct reading *r)
{
	bool good;

	(void)pthread_mutex_lock(&r->lock);
	while (r->rc == 0 && !has_room(r))
		(void)pthread_cond_wait(&r->changed, &r->lock);
	good = r->rc == 0;
	(void)pthread_mutex_unlock(&r->lock);
	return good;
}

static int fill_block(int fd, uint8_t *block, size_t size, struct err *err)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, block + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, -errno, "read");
		if (n == 0)
			return err_set(err, -EIO, "the file became shorter while it was read");
		done += (size_t)n;
	}
	return 0;
}

static void fill_blocks(struct reading *r, int fd, uint64_t size)
{
	struct err err = {0};

	while (size > 0 && wait_for_room(r)) {
		size_t n = (size_t)MIN(size, BLOCK_SIZE);
		int rc = fill_block(fd, r->blocks + r->filled % BLOCKS * BLOCK_SIZE, n, &err);

		if (rc < 0) {
			fail(r, rc, &err);
			return;
		}
		(void)pthread_mutex_lock(&r->lock);
		r->sizes[r->filled++ % BLOCKS] = n;
		(void)pthread_cond_broadcast(&r->changed);
		(void)pthread_mutex_unlock(&r->lock);
		size -= n;
	}
}

static void start_readers(struct reading *r, const struct reader *readers, unsigned n)
{
	struct err err = {0};

	for (unsigned i = 0; i < n; i++) {
		struct reader_thread *t = &r->threads[i];
		int rc;

		*t = (struct reader_thread){.reading = r, .reader = &readers[i]};
		rc = pthread_create(&t->thread, NULL, run_reader, t);
		if (rc != 0) {
			fail(r, err_set_errno(&err, -rc, "start a thread"), &err);
			return;
		}
		r->n++;
	}
}

static void end_readers(struct reading *r)
{
	(void)pthread_mutex_lock(&r->lock);
	r->ended = true;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->n; i++)
		(void)pthread_join(r->threads[i].thread, NULL);
}

int read_once(int fd, uint64_t size, const struct reader *readers, unsigned n, struct err *err)
{
	struct reading r = {.blocks = malloc((size_t)BLOCKS * BLOCK_SIZE)};

	if (!r.blocks)
		return err_set(err, -ENOMEM, "out of memory");
	(void)pthread_mutex_init(&r.lock, NULL);
	(void)pthread_cond_init(&r.changed, NULL);
	start_readers(&r, readers, MIN(n, READERS_MAX));
	fill_blocks(&r, fd, size);
	end_readers(&r);
	(void)pthread_cond_destroy(&r.changed);
	(void)pthread_mutex_destroy(&r.lock);
	free(r.blocks);
	if (r.rc < 0 && err)
		*err = r.err;
	return r.rc;
}
