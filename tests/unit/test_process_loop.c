/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Children on a loop: what they say, how they end, and what is left of them. */
#include "support.h"

#include <linux/close_range.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/macros.h"
#include "base/process.h"
#include "faults.h"

struct watched {
	struct process process;
	char said[4096]; /* each in brackets */
	bool has_said;
	bool exited;
	int exit_status;
	int code;
	char reason[256];
};

static void on_said(struct process *process, const char *line)
{
	struct watched *w = container_of(process, struct watched, process);
	size_t used = strlen(w->said);

	(void)snprintf(w->said + used, sizeof(w->said) - used, "[%s]", line);
	w->has_said = true;
}

static void on_exited(struct process *process, int exit_status, const struct err *err)
{
	struct watched *w = container_of(process, struct watched, process);

	assert_false(w->exited);
	assert_int_equal(process->state, PROCESS_IDLE);
	assert_int_equal(process_pid(process), 0);
	w->exited = true;
	w->exit_status = exit_status;
	w->code = err->code;
	(void)snprintf(w->reason, sizeof(w->reason), "%s", err->text);
}

static const struct process_options shell_options = {
	.stdio = -1,
	.fd = -1,
	.said = on_said,
	.exited = on_exited,
};

static void start(struct watched *w, uv_loop_t *loop, const char *script,
		  const struct process_options *more)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct process_options options = *more;

	options.argv = argv;
	assert_int_equal(uv_loop_init(loop), 0);
	process_start(&w->process, loop, &options);
}

static void run(struct watched *w, const char *script, const struct process_options *more)
{
	uv_loop_t loop;

	memset(w, 0, sizeof(*w));
	start(w, &loop, script, more);
	test_run_until(&loop, &w->exited);
	test_close_loop(&loop);
}

static void test_lines(void **state)
{
	static const struct {
		const char *script, *said;
		int exit_status;
	} rows[] = {
		{"exit 3", "", 3},
		{"echo one >&2; echo two >&2", "[one][two]", 0},
		{"printf 'one\\ntwo' >&2; exit 1", "[one][two]", 1}, /* without a newline */
		{"printf 'one\\n\\n two\\n' >&2", "[one][][ two]", 0},
		{"printf on >&2; sleep 0.05; printf 'e\\n' >&2", "[one]", 0},
		{"echo out; echo err >&2", "[err]", 0},
		{"kill -TERM $$", "", 128 + SIGTERM},
	};
	struct watched w;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		run(&w, rows[i].script, &shell_options);
		assert_string_equal(w.said, rows[i].said);
		assert_int_equal(w.exit_status, rows[i].exit_status);
		assert_int_equal(w.code, 0);
	}
	run(&w, "head -c 600 /dev/zero | tr '\\0' x >&2; echo >&2", &shell_options);
	assert_int_equal(strlen(w.said), PROCESS_SAID_SIZE - 1 + 2); /* cut */
}

/* Where a stranger's words may hold newlines, a message is what was written at once. */
static void test_messages(void **state)
{
	struct process_options options = shell_options;
	struct watched w;

	(void)state;
	options.by_message = true;
	run(&w, "printf 'one\\nAccepted\\r\\n' >&2; printf two >&2; exit 5", &options);
	assert_string_equal(w.said, "[one\nAccepted][two]");
	assert_int_equal(w.exit_status, 5);
}

static void test_stdio_is_a_socket(void **state)
{
	struct process_options options = shell_options;
	struct watched w;
	char got[16] = {0};
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	options.stdio = ends[1];
	options.fd = ends[1];
	assert_int_equal(write(ends[0], "ping\n", 5), 5);
	run(&w, "read line; echo \"$line-pong\"; exec >&2; ls -m /proc/$$/fd", &options);
	assert_string_equal(w.said, "[0, 1, 2, 3]");
	assert_int_equal(read(ends[0], got, sizeof(got)), 10);
	assert_string_equal(got, "ping-pong\n");
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_no_such_program(void **state)
{
	const char *const argv[] = {"steward-no-such-program", NULL};
	struct process_options options = shell_options;
	struct watched w = {0};
	uv_loop_t loop;

	(void)state;
	options.argv = argv;
	assert_int_equal(uv_loop_init(&loop), 0);
	process_start(&w.process, &loop, &options);
	assert_false(w.exited); /* not within the call */
	process_end(&w.process, 0);
	test_run_until(&loop, &w.exited);
	assert_int_equal(w.code, -ENOENT);
	assert_string_equal(w.reason, "run steward-no-such-program: No such file or directory");
	/* It may be started again. */
	memset(&w, 0, sizeof(w));
	options.argv = (const char *const[]){"true", NULL};
	options.said = NULL;
	process_start(&w.process, &loop, &options);
	test_run_until(&loop, &w.exited);
	assert_int_equal(w.code, 0);
	assert_int_equal(w.exit_status, 0);
	test_close_loop(&loop);
}

static void test_end(void **state)
{
	static const struct {
		const char *script;
		uint64_t patience_ms;
		int exit_status;
	} rows[] = {
		{"echo up >&2; exec sleep 3600", 60000, 128 + SIGTERM},
		{"echo up >&2; exec sleep 3600", 0, 128 + SIGKILL},
		{"trap 'exit 9' TERM; echo up >&2; while :; do sleep 0.01; done", 60000, 9},
		{"trap '' TERM; echo up >&2; while :; do sleep 0.01; done", 50, 128 + SIGKILL},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct watched w = {0};
		uv_loop_t loop;

		start(&w, &loop, rows[i].script, &shell_options);
		test_run_until(&loop, &w.has_said);
		process_end(&w.process, rows[i].patience_ms);
		process_end(&w.process, rows[i].patience_ms + 1); /* longer: nothing new */
		test_run_until(&loop, &w.exited);
		assert_int_equal(w.exit_status, rows[i].exit_status);
		process_end(&w.process, 0); /* allowed */
		test_close_loop(&loop);
	}
}

static void test_patience_may_be_shortened(void **state)
{
	struct watched w = {0};
	uv_loop_t loop;

	(void)state;
	start(&w, &loop, "trap '' TERM; echo up >&2; while :; do sleep 0.01; done", &shell_options);
	test_run_until(&loop, &w.has_said);
	process_end(&w.process, 3600000);
	process_end(&w.process, 0);
	test_run_until(&loop, &w.exited);
	assert_int_equal(w.exit_status, 128 + SIGKILL);
	test_close_loop(&loop);
}

/* It is init's child by then, who may take its time to look. */
static bool is_gone(pid_t pid)
{
	char path[64];
	char line[256] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return true;
	(void)!fgets(line, sizeof(line), file);
	(void)fclose(file);
	return line[0] == '\0' || strstr(line, ") Z ");
}

static void wait_until_gone(pid_t pid)
{
	for (unsigned n = 0; !is_gone(pid); n++) {
		assert_true(n < 1000);
		(void)usleep(10000);
	}
}

/* Its children end with it: when it is ended, and when it goes by itself. */
static void test_group(void **state)
{
	static const char *const scripts[] = {
		"trap '' TERM; (trap '' TERM; sleep 3600) & echo $! >&2; wait",
		"sleep 3600 & echo $! >&2; exit 0",
	};
	struct process_options options = shell_options;

	(void)state;
	options.group = true;
	for (unsigned i = 0; i < N_ELEMENTS(scripts); i++) {
		struct watched w = {0};
		uv_loop_t loop;
		pid_t grandchild;

		start(&w, &loop, scripts[i], &options);
		test_run_until(&loop, &w.has_said);
		grandchild = (pid_t)strtol(w.said + 1, NULL, 10);
		assert_true(grandchild > 1);
		process_end(&w.process, 20);
		test_run_until(&loop, &w.exited);
		wait_until_gone(grandchild);
		test_close_loop(&loop);
	}
}

/* A parent that is killed takes it along. */
static void dies_with_us(const char *const *argv)
{
	struct process_options options = shell_options;
	int ends[2];
	pid_t parent;
	char byte;

	assert_int_equal(pipe(ends), 0);
	parent = fork();
	if (parent == 0) {
		struct watched w = {0};
		char us[16];
		const char *const tied[] = {PROCESS_TIED, us, "sleep", "3600", NULL};
		uv_loop_t loop;

		(void)snprintf(us, sizeof(us), "%d", getpid());
		options.argv = argv ? argv : tied;
		options.fd = ends[1];
		(void)close(ends[0]);
		(void)uv_loop_init(&loop);
		process_start(&w.process, &loop, &options);
		(void)usleep(200000); /* until it runs sleep */
		(void)kill(getpid(), SIGKILL);
	}
	(void)close(ends[1]);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	/* The end of the pipe that sleep holds is closed when it is gone: else this hangs. */
	(void)alarm(30);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	(void)alarm(0);
	(void)close(ends[0]);
}

static void test_dies_with_us(void **state)
{
	const char *const argv[] = {PROCESS_DIES_WITH_US, "sleep", "3600", NULL};

	(void)state;
	dies_with_us(argv);
}

static void test_tied(void **state)
{
	(void)state;
	dies_with_us(NULL);
}

/* It is not run by who is not its child, nor where there is none. */
static void test_tied_to_another(void **state)
{
	char us[16];
	const char *const rows[][5] = {{PROCESS_TIED, "1", "true", NULL},
				       {PROCESS_TIED, us, "/nonexistent", NULL},
				       {PROCESS_TIED, us, NULL},
				       {PROCESS_TIED, NULL},
				       {PROCESS_TIED, us, "true", NULL}};

	(void)state;
	(void)snprintf(us, sizeof(us), "%d", getpid());
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct process_options options = shell_options;
		struct watched w = {0};
		uv_loop_t loop;

		options.argv = rows[i];
		assert_int_equal(uv_loop_init(&loop), 0);
		process_start(&w.process, &loop, &options);
		test_run_until(&loop, &w.exited);
		assert_int_equal(w.exit_status, i < N_ELEMENTS(rows) - 1 ? 127 : 0);
		test_close_loop(&loop);
	}
}

static void test_no_memory(void **state)
{
	struct watched w;
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		uv_loop_t loop;

		memset(&w, 0, sizeof(w));
		assert_int_equal(uv_loop_init(&loop), 0);
		faults_fail_allocation(n);
		process_start(&w.process, &loop,
			      &(struct process_options){
				      .argv = (const char *const[]){"true", NULL},
				      .stdio = -1,
				      .fd = -1,
				      .said = on_said,
				      .exited = on_exited,
			      });
		if (!faults_had_effect()) {
			test_run_until(&loop, &w.exited);
			test_close_loop(&loop);
			break;
		}
		test_run_until(&loop, &w.exited);
		assert_int_equal(w.code, -ENOMEM);
		test_close_loop(&loop);
	}
	assert_int_equal(w.code, 0);
	assert_true(n > 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_stdio_is_a_socket),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_patience_may_be_shortened),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_dies_with_us),
		cmocka_unit_test(test_tied),
		cmocka_unit_test(test_tied_to_another),
		cmocka_unit_test(test_no_memory),
	};

	if (argc > 1)
		return process_become_tied(argv);
	/* What our own starter has left open is not the child's. */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
