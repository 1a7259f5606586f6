/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/last_resort.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_events.h"

static bool is_over;

/* A thread of its own, because the loop may be what hangs. */
static void *wait_and_end(void *argument)
{
	const unsigned ms = (unsigned)(uintptr_t)argument;
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL);
	if (__atomic_load_n(&is_over, __ATOMIC_ACQUIRE))
		return NULL;
	log_event(LOG_DAEMON_CUT_SHORT, NULL,
		  "something has not ended within %u ms: conductord ends without it", ms);
	_exit(EX_OK);
}

void last_resort_begin(unsigned ms)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all;
	sigset_t before;

	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	(void)pthread_create(&thread, &attributes, wait_and_end, (void *)(uintptr_t)ms);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
}

void last_resort_over(void)
{
	__atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
}
