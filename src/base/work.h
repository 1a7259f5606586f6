/* SPDX-License-Identifier: GPL-3.0-or-later */
/* work.h - a job on libuv's thread pool, with its result back on the loop.
 *
 * The struct is embedded in what the job is about; container_of() finds the owner. run() is
 * on a worker thread and touches only what the loop thread leaves alone meanwhile; done() is
 * on the loop. A submitted job is always run and done: nothing here cancels.
 *
 * Calling sequence: work_submit -> run -> done, and then work_submit again if wanted.
 */
#pragma once

#include <uv.h>

struct work;
typedef void (*work_cb)(struct work *work);

struct work {
	uv_work_t request;
	struct work *next; /* of a work_pool's */
	work_cb run;
	work_cb done;
};

void work_submit(uv_loop_t *loop, struct work *work, work_cb run, work_cb done);
