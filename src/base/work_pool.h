/* SPDX-License-Identifier: GPL-3.0-or-later */
/* work_pool.h - jobs of work.h on a thread of their own, one after the other.
 *
 * For what may hang: on libuv's pool four of those would hold up everybody's. Jobs are run in the
 * order in which they were submitted, and each is done on the loop.
 *
 * Calling sequence: work_pool_open -> work_pool_submit ... -> the last done -> work_pool_close.
 */
#pragma once

#include "base/err.h"
#include "base/work.h"

struct work_pool;

/* done, on the loop after each job's own; may be NULL. */
int work_pool_open(struct work_pool **ret, uv_loop_t *loop, void (*done)(void *owner), void *owner,
		   struct err *err);

/* From the loop. pool: NULL = libuv's. */
void work_pool_submit(struct work_pool *pool, uv_loop_t *loop, struct work *work, work_cb run,
		      work_cb done);

/* No job is left. */
void work_pool_close(struct work_pool *pool, void (*closed)(void *owner), void *owner);
