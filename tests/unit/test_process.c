/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Children that end well, badly, late, or not at all. */
#include "support.h"

#include <dirent.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/macros.h"
#include "base/process.h"
#include "faults.h"

#define LONG_MS 60000

static int run(const char *const *argv, int fd, uint64_t timeout_ms, struct process_result *ret,
	       struct err *err)
{
	struct process_command command = {.argv = argv, .fd = fd, .timeout_ms = timeout_ms};

	memset(ret, 0xee, sizeof(*ret));
	return process_run(&command, ret, err);
}

/* A shell that must be run; what it says on stderr. */
static const char *shell(const char *script, int fd, struct process_result *ret)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct err err = {0};

	if (run(argv, fd, LONG_MS, ret, &err) < 0)
		fail_msg("%s", err.text);
	return ret->last_line;
}

static void test_exec_errors(void **state)
{
	const char *const nowhere[] = {"steward-no-such-program", NULL};
	const char *const forbidden[] = {"/etc/passwd", NULL};
	struct process_result result;
	struct err err;

	(void)state;
	assert_int_equal(run(nowhere, -1, LONG_MS, &result, &err), -ENOENT);
	assert_string_equal(err.text, "run steward-no-such-program: No such file or directory");
	assert_int_equal(result.exit_status, (int)0xeeeeeeee);
	assert_int_equal(run(forbidden, -1, LONG_MS, &result, &err), -EACCES);
}

static void test_exit_status(void **state)
{
	static const struct {
		const char *script;
		int exit_status;
	} rows[] = {
		{"exit 0", 0},
		{"exit 1", 1},
		{"exit 255", 255},
		{"kill -TERM $$", 128 + SIGTERM},
		{"kill -KILL $$", 128 + SIGKILL},
	};
	struct process_result result;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_string_equal(shell(rows[i].script, -1, &result), "");
		assert_int_equal(result.exit_status, rows[i].exit_status);
	}
}

static void test_timeout(void **state)
{
	const char *const argv[] = {"sleep", "3600", NULL};
	struct process_result result;
	struct err err;

	(void)state;
	assert_int_equal(run(argv, -1, 100, &result, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "sleep has not ended after 0.1 s: killed");
	assert_int_equal(result.exit_status, (int)0xeeeeeeee);
	/* Nobody is left behind. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define L250  FIFTY FIFTY FIFTY FIFTY FIFTY

static void test_last_line(void **state)
{
	static const struct {
		const char *said, *last;
	} rows[] = {
		{"", ""},
		{"\\n\\n", ""},
		{"one", "one"}, /* without a newline */
		{"one\\n", "one"},
		{"one\\ntwo\\n", "two"},
		{"one\\n\\n  \\n\\t\\n", "one"},                    /* empty ones are none */
		{"already\\n     unlocked\\n", "already unlocked"}, /* as fscrypt wraps */
		{"one\\n\\n  two\\n", "two"},                       /* another paragraph */
		{"  one\\n", "one"},
		{"one\\r\\n", "one\\x0d"},
		{"a\\033[31mred\\n", "a\\x1b[31mred"}, /* a terminal would obey */
		{"caf\\303\\251\\n", "caf\303\251"},   /* UTF-8 stays */
		{"\\377\\n", "\\xff"},
		{"one\\000two\\n", "two"},
		{L250 "abcdefgh", L250 "abcde"},      /* cut */
		{L250 "abcd\\303\\251", L250 "abcd"}, /* at a whole character */
		{L250 "a\\033b", L250 "a\\x1b"},
	};
	struct process_result result;
	char script[512];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		(void)snprintf(script, sizeof(script), "printf '%s' >&2", rows[i].said);
		assert_string_equal(shell(script, -1, &result), rows[i].last);
	}
}

static void test_many_lines(void **state)
{
	struct process_result result;

	(void)state;
	assert_string_equal(shell("seq 1 300000 >&2; exit 3", -1, &result), "300000");
	assert_int_equal(result.exit_status, 3);
	/* What it says on stdout goes nowhere, and its stdin has nothing. */
	assert_string_equal(shell("seq 1 300000; cat; echo end >&2", -1, &result), "end");
}

static void test_descriptors(void **state)
{
	struct process_result result;
	int fd = memfd_create("test", MFD_CLOEXEC);
	/* As libraries leave theirs: libcurl 7.88 makes such a socket pair. */
	int forgotten = memfd_create("forgotten", 0);

	(void)state;
	assert_int_equal(write(fd, "hello", 5), 5);
	/* As fscrypt reads it: opened anew, from its beginning. */
	assert_string_equal(shell("cat /proc/self/fd/3 >&2", fd, &result), "hello");
	assert_string_equal(shell("cat /proc/self/fd/3 >&2", fd, &result), "hello");
	assert_string_equal(shell("exec >&2; ls -m /proc/$$/fd; :", fd, &result), "0, 1, 2, 3");
	assert_string_equal(shell("exec >&2; ls -m /proc/$$/fd; :", -1, &result), "0, 1, 2");
	/* One that is meant for it, and that nobody marked. */
	assert_string_equal(shell("exec >&2; ls -m /proc/$$/fd; :", forgotten, &result),
			    "0, 1, 2, 3");
	(void)close(forgotten);
	(void)close(fd);
}

static unsigned count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(directory);
	while (readdir(directory))
		n++;
	(void)closedir(directory);
	return n;
}

static void test_no_descriptor_leaks(void **state)
{
	const char *const nowhere[] = {"steward-no-such-program", NULL};
	const char *const late[] = {"sleep", "3600", NULL};
	struct process_result result;
	unsigned before;

	(void)state;
	/* libuv keeps a pipe for signals from its first child on. */
	(void)shell("exit 0", -1, &result);
	before = count_descriptors();
	for (int i = 0; i < 5; i++) {
		(void)shell("echo x >&2", -1, &result);
		(void)run(nowhere, -1, LONG_MS, &result, NULL);
		(void)run(late, -1, 1, &result, NULL);
	}
	assert_int_equal(count_descriptors(), before);
}

/* A child of the child that holds stderr open is not waited for. */
static void test_grandchild(void **state)
{
	struct process_result result;
	pid_t pid;

	(void)state;
	pid = (pid_t)strtol(shell("sleep 3600 & echo $! >&2", -1, &result), NULL, 10);
	assert_int_equal(result.exit_status, 0);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
}

/* A child that closes its stderr is still waited for. */
static void test_closed_stderr(void **state)
{
	struct process_result result;

	(void)state;
	assert_string_equal(shell("echo said >&2; exec 2>&-; sleep 0.1; exit 4", -1, &result),
			    "said");
	assert_int_equal(result.exit_status, 4);
}

static void test_signals(void **state)
{
	struct process_result result;
	sigset_t blocked;
	sigset_t before;

	(void)state;
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGTERM);
	(void)sigaddset(&blocked, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)shell("awk '/^Sig(Blk|Ign)/ { printf \"%s \", $2 }' /proc/self/status >&2", -1,
		    &result);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	assert_string_equal(result.last_line, "0000000000000000 0000000000000000 ");
}

static void test_environment(void **state)
{
	struct process_result result;

	(void)state;
	assert_int_equal(setenv("LC_ALL", "de_DE.UTF-8", 1), 0);
	assert_int_equal(setenv("STEWARD_TEST", "here", 1), 0);
	assert_string_equal(shell("echo \"$LC_ALL $STEWARD_TEST\" >&2", -1, &result), "C here");
	assert_string_equal(getenv("LC_ALL"), "de_DE.UTF-8");
	(void)unsetenv("LC_ALL");
	(void)unsetenv("STEWARD_TEST");
}

static void test_no_memory(void **state)
{
	const char *const argv[] = {"true", NULL};
	struct process_result result;
	struct err err;
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		int rc;

		faults_fail_allocation(n);
		rc = run(argv, -1, LONG_MS, &result, &err);
		if (!faults_had_effect()) {
			assert_int_equal(rc, 0);
			break;
		}
		assert_int_equal(rc, -ENOMEM);
	}
	assert_true(n > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec_errors),   cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_timeout),       cmocka_unit_test(test_last_line),
		cmocka_unit_test(test_many_lines),    cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_grandchild),    cmocka_unit_test(test_no_descriptor_leaks),
		cmocka_unit_test(test_closed_stderr), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_environment),   cmocka_unit_test(test_no_memory),
	};

	/* What our own starter has left open is not the child's. */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
