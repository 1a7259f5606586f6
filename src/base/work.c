/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/work.h"

#include <assert.h>

#include "base/macros.h"

static void on_run(uv_work_t *request)
{
	struct work *work = container_of(request, struct work, request);

	work->run(work);
}

static void on_done(uv_work_t *request, int status)
{
	struct work *work = container_of(request, struct work, request);

	assert(status == 0); /* only uv_cancel() causes another status, and we never call it */
	(void)status;
	work->done(work);
}

void work_submit(uv_loop_t *loop, struct work *work, work_cb run, work_cb done)
{
	int rc;

	work->run = run;
	work->done = done;
	rc = uv_queue_work(loop, &work->request, on_run, on_done);
	assert(rc == 0); /* fails only without a run callback */
	(void)rc;
}
