/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/tpm_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log_events.h"
#include "base/secret.h"
#include "integrity/emergency.h"
#include "tpm/tpm.h"

#define TICK_MS     200
#define GIVEN_UP_MS 1000

struct report {
	_Atomic uint64_t call_began_ns; /* 0 = none is under way */
	int rc;
	struct failure failure;
};

void *tpm_child_alloc(size_t size, struct failure *f)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED) {
		(void)failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
		return NULL;
	}
	/* mlock2() and not mlock(), because sanitizers replace mlock() by a function that does
	 * nothing. */
	if (mlock2(shared, size, 0) < 0) {
		(void)failure_set(f, CAUSE_SYSTEM, -errno, "lock %zu bytes of memory: %s", size,
				  strerror(errno));
		(void)munmap(shared, size);
		return NULL;
	}
	(void)madvise(shared, size, MADV_DONTDUMP);
	return shared;
}

void tpm_child_free(void *shared, size_t size)
{
	if (!shared)
		return;
	explicit_bzero(shared, size);
	(void)munmap(shared, size);
}

/* ESYS and OpenSSL keep what they decrypt in memory of their own choice, so all memory is locked:
 * pages only when they are touched (MCL_ONFAULT).
 */
int tpm_child_keep_secrets(struct failure *f)
{
	secret_protect_process();
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return failure_set(f, CAUSE_SYSTEM, -errno,
				   "lock the memory of what speaks with the TPM, so that no secret "
				   "is swapped out: %s",
				   strerror(errno));
	return 0;
}

/* The child ends when its parent ends, because it would otherwise go on changing the TPM. */
static void die_with_parent(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static uint64_t silent_ms(const struct report *report)
{
	const uint64_t began_ns = report->call_began_ns;
	struct timespec now;
	uint64_t now_ns;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return began_ns && now_ns > began_ns ? (now_ns - began_ns) / 1000000 : 0;
}

static void tell_silent(uint64_t ms)
{
	char reason[80];

	(void)snprintf(reason, sizeof(reason), "the TPM has not answered for %llu s",
		       (unsigned long long)ms / 1000);
	log_event(LOG_INTEGRITY_WAITING, &(struct log_fields){.reason = reason}, "waiting: %s",
		  reason);
	emergency_note(reason);
}

static int silent(const struct tpm_child_patience *patience, struct failure *f)
{
	return failure_set(f, CAUSE_TPM_SILENT, -ETIMEDOUT,
			   "it took a command, and has not answered for %u s",
			   patience->ended_ms / 1000);
}

/* Waits until the child has ended. -ETIMEDOUT: it was killed because the TPM did not answer. A
 * child that the kernel cannot end is left behind.
 */
static int watch(pid_t child, const struct report *report,
		 const struct tpm_child_patience *patience, struct failure *f)
{
	struct pollfd ended = {.fd = pidfd_open(child, 0), .events = POLLIN};
	bool told = false;
	int rc = 0;

	while (ended.fd >= 0 && rc == 0 && poll(&ended, 1, TICK_MS) <= 0) {
		const uint64_t ms = silent_ms(report);

		if (ms >= patience->told_ms && !told) {
			tell_silent(ms);
			told = true;
		}
		if (ms < patience->ended_ms)
			continue;
		(void)kill(child, SIGKILL);
		rc = silent(patience, f);
		if (poll(&ended, 1, (int)patience->told_ms) > 0)
			(void)waitpid(child, NULL, 0);
	}
	if (ended.fd >= 0)
		(void)close(ended.fd);
	return rc;
}

/* A command that is under way is best let end: it leaves nothing behind in the TPM then. */
static int give_up(pid_t child, struct failure *f)
{
	struct pollfd ended = {.fd = pidfd_open(child, 0), .events = POLLIN};

	if (ended.fd < 0 || poll(&ended, 1, GIVEN_UP_MS) <= 0)
		(void)kill(child, SIGKILL);
	if (ended.fd < 0 || poll(&ended, 1, GIVEN_UP_MS) > 0)
		(void)waitpid(child, NULL, 0);
	if (ended.fd >= 0)
		(void)close(ended.fd);
	return failure_set(f, CAUSE_SYSTEM, -ECANCELED, "given up while the TPM was asked");
}

static int wait_for_child(pid_t child, const struct report *report, struct failure *f)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return failure_set(f, CAUSE_SYSTEM, -errno, "wait for a child: %s",
					   strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		*f = report->failure;
		return report->rc;
	}
	if (WIFSIGNALED(status))
		return failure_set(f, CAUSE_TPM_ERROR, -EIO,
				   "what speaks with the TPM was ended by signal %d",
				   WTERMSIG(status));
	return failure_set(f, CAUSE_TPM_ERROR, -EIO,
			   "what speaks with the TPM ended with status %d", WEXITSTATUS(status));
}

static pid_t begin(tpm_child_cb work, void *shared, struct report *report)
{
	const pid_t parent = getpid();
	const pid_t child = fork();

	if (child == 0) {
		die_with_parent(parent);
		tpm_watch(&report->call_began_ns);
		report->rc = work(shared, &report->failure);
		_exit(0);
	}
	return child;
}

static int run(const struct tpm_child_patience *patience, tpm_child_cb work,
	       tpm_child_beside_cb beside, void *shared, struct failure *f)
{
	struct report *report = tpm_child_alloc(sizeof(*report), f);
	pid_t child;
	int rc;

	if (!report)
		return f->err.code;
	report->failure = *f;
	child = begin(work, shared, report);
	if (child < 0)
		rc = failure_set(f, CAUSE_SYSTEM, -errno, "fork: %s", strerror(errno));
	else if (beside && beside(shared) < 0)
		rc = give_up(child, f);
	else
		rc = watch(child, report, patience, f);
	if (rc == 0)
		rc = wait_for_child(child, report, f);
	tpm_child_free(report, sizeof(*report));
	return rc;
}

int tpm_child_run(tpm_child_cb work, void *shared, struct failure *f)
{
	return run(&TPM_CHILD_PATIENCE, work, NULL, shared, f);
}

int tpm_child_run_beside(tpm_child_cb work, tpm_child_beside_cb beside, void *shared,
			 struct failure *f)
{
	return run(&TPM_CHILD_PATIENCE, work, beside, shared, f);
}

int tpm_child_run_for(const struct tpm_child_patience *patience, tpm_child_cb work, void *shared,
		      struct failure *f)
{
	return run(patience, work, NULL, shared, f);
}
