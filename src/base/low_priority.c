/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/low_priority.h"

#include <linux/ioprio.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICEST 19

struct job {
	void (*run)(void *owner);
	void *owner;
};

/* Linux keeps both for each thread; "0" and this thread's id mean the one that asks. */
static void *run_job(void *argument)
{
	const struct job *job = argument;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICEST);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		      IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
	job->run(job->owner);
	return NULL;
}

void low_priority_run(void (*run)(void *owner), void *owner)
{
	struct job job = {.run = run, .owner = owner};
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_job, &job) != 0)
		run(owner);
	else
		(void)pthread_join(thread, NULL);
}
