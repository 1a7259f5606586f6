/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/stopwatch.h"

#include <time.h>

#include "base/log.h"

static uint64_t clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct stopwatch stopwatch_start(void)
{
	return (struct stopwatch){.began_ns = clock_ns()};
}

void stopwatch_step(struct stopwatch *watch, const char *step, uint64_t tpm_ns)
{
	const uint64_t now_ns = clock_ns();
	const double took_ms = (double)(now_ns - watch->began_ns) / 1e6;

	if (tpm_ns)
		log_debug("step %s took %.2f ms, of which the TPM %.2f ms", step, took_ms,
			  (double)(tpm_ns - watch->tpm_ns) / 1e6);
	else
		log_debug("step %s took %.2f ms", step, took_ms);
	watch->began_ns = now_ns;
	watch->tpm_ns = tpm_ns;
}
