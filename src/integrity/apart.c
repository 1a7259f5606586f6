#include "integrity/apart.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/secret.h"

struct report {
	int rc;
	struct failure failure;
};

void *apart_alloc(size_t size, struct failure *f)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED) {
		(void)failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
		return NULL;
	}
	/* Not mlock(): under a sanitizer that does nothing. */
	if (mlock2(shared, size, 0) < 0) {
		(void)failure_set(f, CAUSE_SYSTEM, -errno, "lock %zu bytes of memory: %s", size,
				  strerror(errno));
		(void)munmap(shared, size);
		return NULL;
	}
	(void)madvise(shared, size, MADV_DONTDUMP);
	return shared;
}

void apart_free(void *shared, size_t size)
{
	if (!shared)
		return;
	explicit_bzero(shared, size);
	(void)munmap(shared, size);
}

/* ESYS and OpenSSL keep what they decrypt where they like. Only what is touched is read in for it.
 */
int apart_keep_secrets(struct failure *f)
{
	secret_protect_process();
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return failure_set(f, CAUSE_SYSTEM, -errno,
				   "lock the memory of what speaks with the TPM, so that no secret "
				   "is swapped out: %s",
				   strerror(errno));
	return 0;
}

/* The child ends with its parent: alone it would go on changing the TPM. */
static void die_with_parent(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
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

int apart_run(apart_cb work, void *shared, struct failure *f)
{
	struct report *report = apart_alloc(sizeof(*report), f);
	const pid_t parent = getpid();
	pid_t child;
	int rc;

	if (!report)
		return f->err.code;
	report->failure = *f;
	child = fork();
	if (child == 0) {
		die_with_parent(parent);
		report->rc = work(shared, &report->failure);
		_exit(0);
	}
	rc = child > 0 ? wait_for_child(child, report, f)
		       : failure_set(f, CAUSE_SYSTEM, -errno, "fork: %s", strerror(errno));
	apart_free(report, sizeof(*report));
	return rc;
}
