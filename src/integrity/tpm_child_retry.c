/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/tpm_child_retry.h"

#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "base/macros.h"

/* The first retry comes at once, since most momentary failures are over by then. */
static const unsigned pauses_ms[] = {0, 50, 100, 200, 400, 800};

struct attempt {
	const struct tpm_child_job *job;
	bool make_room;
};

static int in_child(void *shared, struct failure *f)
{
	const struct attempt *attempt = shared;
	const struct tpm_child_job *job = attempt->job;
	struct tpm t;
	int rc = tpm_open(&t, job->tcti, job->wait_ms, &f->err);

	if (rc < 0) {
		f->tpm_rc = t.last_rc;
		return failure_because(f, rc == -ENODEV ? CAUSE_NO_TPM : failure_tpm_cause(rc));
	}
	if (attempt->make_room)
		(void)tpm_make_room(&t, NULL);
	rc = job->work(&t, job->shared, f);
	f->tpm_rc = rc < 0 ? t.last_rc : 0;
	tpm_close(&t);
	return rc;
}

static void pause_ms(unsigned ms)
{
	const struct timespec pause = {.tv_nsec = ms * 1000000L};

	if (ms > 0)
		(void)nanosleep(&pause, NULL);
}

/* Could this failure be momentary? An authorization value that is set is refused each time; a TPM
 * that is merely not ready refuses it once. */
static bool may_be_momentary(const struct failure *f)
{
	return f->cause == CAUSE_TPM_NOT_READY || f->cause == CAUSE_TPM_AUTHORIZATION;
}

static int beside_child(void *shared)
{
	const struct attempt *attempt = shared;

	return attempt->job->beside(attempt->job->shared);
}

int tpm_child_do(const struct tpm_child_job *job, struct failure *f)
{
	const tpm_child_beside_cb beside = job->beside ? beside_child : NULL;
	struct attempt attempt = {.job = job};
	const struct failure before = *f;
	int rc = tpm_child_run_beside(in_child, beside, &attempt, f);

	for (size_t i = 0; rc < 0 && may_be_momentary(f) && i < N_ELEMENTS(pauses_ms); i++) {
		log_debug("again in %u ms: %s", pauses_ms[i], f->err.text);
		pause_ms(pauses_ms[i]);
		attempt.make_room |= tpm_code(f->tpm_rc) == -ENOSPC && tpm_is_raw(job->tcti);
		*f = before;
		rc = tpm_child_run_beside(in_child, beside, &attempt, f);
	}
	return rc;
}

int tpm_child_ask(const char *tcti, unsigned wait_ms, tpm_child_work_cb work, void *shared,
		  struct failure *f)
{
	const struct tpm_child_job job = {
		.tcti = tcti, .wait_ms = wait_ms, .work = work, .shared = shared};

	return tpm_child_do(&job, f);
}
