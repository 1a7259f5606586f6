/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Work in a child: what comes back of it, what does not, and how it ends. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "integrity/tpm_child.h"
#include "tpm/tpm.h"

struct shared {
	pid_t pid;
	char text[32];
	int channel; /* to the test */
};

static int outside = 1;

static struct shared *make_shared(void)
{
	struct failure f = {0};
	struct shared *shared = tpm_child_alloc(sizeof(*shared), &f);

	if (!shared)
		fail_msg("%s", f.err.text);
	return shared;
}

static int succeed(void *shared, struct failure *f)
{
	struct shared *s = shared;

	s->pid = getpid();
	(void)snprintf(s->text, sizeof(s->text), "from the child");
	outside = 2;
	f->step = STEP_UNSEAL;
	f->tpm_rc = 0x128;
	return 0;
}

static void test_what_comes_back(void **state)
{
	struct failure f = {.step = STEP_LOCATE};
	struct shared *s = make_shared();

	(void)state;
	assert_int_equal(tpm_child_run(succeed, s, &f), 0);
	assert_string_equal(s->text, "from the child");
	assert_int_not_equal(s->pid, getpid());
	assert_int_equal(outside, 1);
	assert_int_equal(f.step, STEP_UNSEAL);
	assert_int_equal(f.tpm_rc, 0x128);
	/* The child is no more, and no zombie either. */
	assert_int_equal(kill(s->pid, 0), -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	tpm_child_free(s, sizeof(*s));
}

static int refuse(void *shared, struct failure *f)
{
	(void)shared;
	f->tpm_rc = f->step == STEP_PASS ? 0x99d : 0;
	return failure_set(f, CAUSE_PCR_MISMATCH, -EKEYREJECTED, "PCR %d", 7);
}

static void test_failure_comes_back(void **state)
{
	struct failure f = {.step = STEP_PASS};

	(void)state;
	assert_int_equal(tpm_child_run(refuse, NULL, &f), -EKEYREJECTED);
	assert_int_equal(f.cause, CAUSE_PCR_MISMATCH);
	assert_int_equal(f.step, STEP_PASS);
	assert_int_equal(f.tpm_rc, 0x99d);
	assert_int_equal(f.err.code, -EKEYREJECTED);
	assert_string_equal(f.err.text, "PCR mismatch: PCR 7");
}

static int count(void *shared, struct failure *f)
{
	(void)f;
	return ++((struct shared *)shared)->channel;
}

static void test_again_and_again(void **state)
{
	struct failure f = {0};
	struct shared *s = make_shared();

	(void)state;
	for (int i = 1; i <= 20; i++)
		assert_int_equal(tpm_child_run(count, s, &f), i);
	tpm_child_free(s, sizeof(*s));
}

/* Signals as they are without a sanitizer, and no core. */
static void crash_by(int number)
{
	const struct rlimit no_core = {0};

	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static int crash(void *shared, struct failure *f)
{
	(void)shared;
	(void)failure_set(f, CAUSE_RECORD_REMOVED, -ENOENT, "half told");
	crash_by(SIGSEGV);
	return 0;
}

static int be_killed(void *shared, struct failure *f)
{
	(void)shared;
	(void)f;
	crash_by(SIGKILL);
	return 0;
}

static int leave(void *shared, struct failure *f)
{
	(void)shared;
	(void)f;
	_exit(3);
}

static void test_how_it_ends(void **state)
{
	static const struct {
		tpm_child_cb work;
		const char *text;
	} rows[] = {
		{crash, "TPM error: what speaks with the TPM was ended by signal 11"},
		{be_killed, "TPM error: what speaks with the TPM was ended by signal 9"},
		{leave, "TPM error: what speaks with the TPM ended with status 3"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct failure f = {.step = STEP_UNSEAL};

		assert_int_equal(tpm_child_run(rows[i].work, NULL, &f), -EIO);
		assert_string_equal(f.err.text, rows[i].text);
		assert_int_equal(f.cause, CAUSE_TPM_ERROR);
		assert_int_equal(f.step, STEP_UNSEAL);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static void on_signal(int number)
{
	(void)number;
}

static int wake_parent(void *shared, struct failure *f)
{
	(void)shared;
	(void)f;
	for (int i = 0; i < 5; i++) {
		(void)kill(getppid(), SIGUSR1);
		(void)usleep(10000);
	}
	return 7;
}

/* Waiting goes on after a signal. */
static void test_interrupted(void **state)
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct failure f = {0};

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(tpm_child_run(wake_parent, NULL, &f), 7);
	(void)signal(SIGUSR1, SIG_DFL);
}

static int hang(void *shared, struct failure *f)
{
	const struct shared *s = shared;

	(void)f;
	(void)!write(s->channel, "x", 1);
	while (s->channel >= 0)
		(void)pause();
	return 0;
}

/* The channel's other ends are the child's and its parent's: it closes when both are gone. */
static void test_dies_with_parent(void **state)
{
	struct shared *s = make_shared();
	struct failure f = {0};
	int channel[2];
	pid_t parent;
	char byte;

	(void)state;
	assert_int_equal(pipe(channel), 0);
	s->channel = channel[1];
	parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		(void)tpm_child_run(hang, s, &f);
		_exit(0);
	}
	(void)close(channel[1]);
	assert_int_equal(read(channel[0], &byte, 1), 1); /* it has begun */
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	(void)alarm(60);
	assert_int_equal(read(channel[0], &byte, 1), 0);
	(void)alarm(0);
	(void)close(channel[0]);
	tpm_child_free(s, sizeof(*s));
}

static void test_memory(void **state)
{
	static const uint8_t zeros[5000];
	struct failure f = {0};
	uint8_t *memory = tpm_child_alloc(sizeof(zeros), &f);
	unsigned char resident;

	(void)state;
	assert_non_null(memory);
	assert_memory_equal(memory, zeros, sizeof(zeros));
	memset(memory, 0xaa, sizeof(zeros));
	tpm_child_free(memory, sizeof(zeros));
	assert_int_equal(mincore(memory, 1, &resident), -1);
	assert_int_equal(errno, ENOMEM);
	tpm_child_free(NULL, 0);
}

static void test_no_memory(void **state)
{
	struct failure f = {0};

	(void)state;
	assert_null(tpm_child_alloc(SIZE_MAX / 2, &f));
	assert_int_equal(f.cause, CAUSE_SYSTEM);
	assert_int_equal(f.err.code, -ENOMEM);
}

/* Runs in a child, which has no right and no room to lock memory. */
static int is_refused(void)
{
	const struct rlimit none = {0};
	struct failure f = {0};

	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || setuid(65534) < 0)
		return 1;
	if (tpm_child_alloc(4096, &f) || f.cause != CAUSE_SYSTEM)
		return 2;
	return strstr(f.err.text, "lock 4096 bytes of memory") ? 0 : 3;
}

static void test_lock_limit(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(is_refused());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Runs in a child, which may not have one of its own. */
static int cannot_fork(void)
{
	const struct rlimit none = {0};
	struct failure f = {0};

	if (setrlimit(RLIMIT_NPROC, &none) < 0 || setuid(65533) < 0)
		return 1;
	if (tpm_child_run(succeed, NULL, &f) != -EAGAIN || f.cause != CAUSE_SYSTEM)
		return 2;
	return strstr(f.err.text, "fork: ") ? 0 : 3;
}

static void test_no_child(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(cannot_fork());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static unsigned long kib_of(const char *field)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtoul(line + strlen(field), NULL, 10);
	if (status)
		(void)fclose(status);
	return kib;
}

/* Also what is got later. */
static int keep_secrets(void *shared, struct failure *f)
{
	static uint8_t in_data[1 << 16];
	const size_t size = 8 << 20;
	uint8_t *heap;
	int rc = tpm_child_keep_secrets(f);

	(void)shared;
	if (rc < 0)
		return rc;
	heap = malloc(size);
	memset(heap, 0x5a, size);
	memset(in_data, 0x5a, sizeof(in_data));
	if (kib_of("VmLck:") < kib_of("VmData:") + kib_of("VmStk:"))
		rc = failure_set(f, CAUSE_SYSTEM, -EIO, "locked %lu KiB of %lu", kib_of("VmLck:"),
				 kib_of("VmData:"));
	if (prctl(PR_GET_DUMPABLE) != 0)
		rc = failure_set(f, CAUSE_SYSTEM, -EIO, "would leave a core");
	free(heap);
	return rc;
}

static void test_secrets_stay_in_memory(void **state)
{
	struct failure f = {0};

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* mlockall() does nothing there */
#endif
	if (tpm_child_run(keep_secrets, NULL, &f) < 0)
		fail_msg("%s", f.err.text);
	assert_int_equal(kib_of("VmLck:"), 0);
}

static int never_answered(void *shared, struct failure *f)
{
	struct tpm t = {0};

	(void)f;
	((struct shared *)shared)->pid = getpid();
	tpm_call_begins(&t);
	(void)pause();
	return -EIO;
}

static int slow_elsewhere(void *shared, struct failure *f)
{
	const struct timespec longer = {.tv_nsec = 700 * 1000 * 1000};
	struct tpm t = {0};

	(void)shared;
	(void)f;
	tpm_call_begins(&t);
	(void)tpm_call_ended(&t, TSS2_RC_SUCCESS);
	(void)nanosleep(&longer, NULL);
	return 0;
}

/* A TPM that does not answer ends the child; what takes its time elsewhere does not. */
static void test_silent(void **state)
{
	static const struct tpm_child_patience patience = {.told_ms = 100, .ended_ms = 300};
	struct failure f = {.step = STEP_UNSEAL};
	struct shared *s = make_shared();

	(void)state;
	assert_int_equal(tpm_child_run_for(&patience, never_answered, s, &f), -ETIMEDOUT);
	assert_int_equal(f.cause, CAUSE_TPM_SILENT);
	assert_int_equal(f.step, STEP_UNSEAL);
	assert_int_equal(kill(s->pid, 0), -1);
	assert_int_equal(tpm_child_run_for(&patience, slow_elsewhere, s, &f), 0);
	tpm_child_free(s, sizeof(*s));
}

static int tell_child(void *shared)
{
	struct shared *s = shared;

	s->pid = getpid();
	*(volatile char *)s->text = '!';
	return 0;
}

static int wait_to_be_told(void *shared, struct failure *f)
{
	const volatile struct shared *s = shared;

	(void)f;
	while (s->text[0] != '!')
		(void)usleep(1000);
	return 7;
}

/* The child waits for it: so it is done meanwhile, and by the parent. */
static void test_beside(void **state)
{
	struct shared *s = make_shared();
	struct failure f = {0};

	(void)state;
	assert_int_equal(tpm_child_run_beside(wait_to_be_told, tell_child, s, &f), 7);
	assert_int_equal(s->pid, getpid());
	tpm_child_free(s, sizeof(*s));
}

static int give_up(void *shared)
{
	(void)shared;
	return -ENOENT;
}

static int succeed_soon(void *shared, struct failure *f)
{
	(void)usleep(100000);
	return succeed(shared, f);
}

/* One that ends soon is let end, one that hangs is ended. */
static void test_given_up_beside(void **state)
{
	struct shared *s = make_shared();
	struct failure f = {0};

	(void)state;
	assert_int_equal(tpm_child_run_beside(succeed_soon, give_up, s, &f), -ECANCELED);
	assert_string_equal(s->text, "from the child");
	assert_int_equal(kill(s->pid, 0), -1);
	s->channel = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(tpm_child_run_beside(hang, give_up, s, &f), -ECANCELED);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	(void)close(s->channel);
	tpm_child_free(s, sizeof(*s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets_stay_in_memory),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_what_comes_back),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_given_up_beside),
		cmocka_unit_test(test_failure_comes_back),
		cmocka_unit_test(test_again_and_again),
		cmocka_unit_test(test_how_it_ends),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_lock_limit),
		cmocka_unit_test(test_no_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
