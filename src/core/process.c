#include "core/process.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "core/macros.h"
#include "core/printable.h"

/* What is kept of a child's stderr: see last_line. */
struct tail {
	char text[PROCESS_LINE_SIZE];
	size_t used;
	bool in_line;  /* something but blanks has come since the line began */
	bool indented; /* it began with blanks */
	bool ended;    /* an empty line came after text */
};

/* A child in a loop, with its stderr and the limit of its time. */
struct child {
	uv_process_t process;
	uv_pipe_t said;
	uv_timer_t limit;
	struct tail tail;
	char chunk[4096];
	int exit_status;
	bool timed_out;
};

static void tail_append(struct tail *t, char byte)
{
	if (t->used < sizeof(t->text) - 1)
		t->text[t->used++] = byte;
	t->text[t->used] = '\0';
}

static void tail_begin_line(struct tail *t)
{
	if (t->indented && !t->ended && t->used > 0)
		tail_append(t, ' ');
	else
		t->used = 0;
	t->in_line = true;
	t->ended = false;
}

static void tail_take(struct tail *t, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\0') {
			t->ended = !t->in_line;
			t->in_line = false;
			t->indented = false;
		} else if (!t->in_line && strchr(" \t\r", bytes[i])) {
			t->indented = true;
		} else {
			if (!t->in_line)
				tail_begin_line(t);
			tail_append(t, bytes[i]);
		}
	}
}

static void close_handle(uv_handle_t *handle)
{
	bool opened = handle->loop != NULL;

	if (opened && !uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void child_close(struct child *c)
{
	close_handle((uv_handle_t *)&c->process);
	close_handle((uv_handle_t *)&c->said);
	close_handle((uv_handle_t *)&c->limit);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct child *c = container_of(handle, struct child, said);

	(void)suggested;
	*ret = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static void on_said(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct child *c = container_of(stream, struct child, said);

	if (n < 0)
		close_handle((uv_handle_t *)&c->said);
	else
		tail_take(&c->tail, buffer->base, (size_t)n);
}

/* What it said before it ended is in the pipe. The pipe's own end is not waited for: a child of
 * the child may hold it open, or write for ever. */
static void read_rest(struct child *c)
{
	size_t left = 1 << 20; /* more than a pipe holds */
	uv_os_fd_t fd;

	if (uv_is_closing((uv_handle_t *)&c->said) || uv_fileno((uv_handle_t *)&c->said, &fd) < 0)
		return;
	while (left > 0) {
		ssize_t n = read(fd, c->chunk, MIN(left, sizeof(c->chunk)));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		tail_take(&c->tail, c->chunk, (size_t)n);
		left -= (size_t)n;
	}
}

static void on_exit_of_child(uv_process_t *process, int64_t exit_status, int signal)
{
	struct child *c = container_of(process, struct child, process);

	c->exit_status = signal ? 128 + signal : (int)exit_status;
	read_rest(c);
	child_close(c);
}

static void on_limit(uv_timer_t *timer)
{
	struct child *c = container_of(timer, struct child, limit);

	c->timed_out = true;
	(void)uv_process_kill(&c->process, SIGKILL);
}

static void free_environment(char ***environment)
{
	free(*environment);
}

/* Ours, in the C locale: the strings stay where they are. NULL = no memory. */
static char **child_environment(void)
{
	static char locale[] = "LC_ALL=C";
	size_t n = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = calloc(n + 2, sizeof(*copy));
	if (!copy)
		return NULL;
	n = 0;
	copy[n++] = locale;
	for (char **at = environ; *at; at++)
		if (strncmp(*at, "LC_ALL=", 7) != 0)
			copy[n++] = *at;
	return copy;
}

static int spawn(struct child *c, uv_loop_t *loop, const struct process_command *command)
{
	_cleanup_(free_environment) char **environment = child_environment();
	uv_stdio_container_t stdio[4] = {
		{.flags = UV_IGNORE},
		{.flags = UV_IGNORE},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&c->said},
		{.flags = UV_INHERIT_FD, .data.fd = command->fd},
	};
	uv_process_options_t options = {
		.exit_cb = on_exit_of_child,
		.file = command->argv[0],
		.env = environment,
		.stdio_count = command->fd < 0 ? 3 : 4,
		.stdio = stdio,
	};

	if (!environment)
		return -ENOMEM;
	/* execvp(3) takes what it does not change as char *const []. */
	memcpy(&options.args, &command->argv, sizeof(options.args));
	return uv_spawn(loop, &c->process, &options);
}

/* Whatever comes of it, the handles are open after it, or closing. */
static int child_start(struct child *c, uv_loop_t *loop, const struct process_command *command)
{
	int rc;

	(void)uv_timer_init(loop, &c->limit);
	(void)uv_pipe_init(loop, &c->said, 0);
	rc = spawn(c, loop, command);
	if (rc < 0)
		return rc;
	(void)uv_timer_start(&c->limit, on_limit, command->timeout_ms, 0);
	(void)uv_read_start((uv_stream_t *)&c->said, on_alloc, on_said);
	return 0;
}

static int run_in_loop(struct child *c, const struct process_command *command)
{
	uv_loop_t loop;
	int closed;
	int rc;

	rc = uv_loop_init(&loop);
	if (rc < 0)
		return rc;
	rc = child_start(c, &loop, command);
	if (rc < 0)
		child_close(c);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	closed = uv_loop_close(&loop);
	assert(closed == 0); /* every handle of the child is */
	(void)closed;
	return rc;
}

int process_run(const struct process_command *command, struct process_result *ret, struct err *err)
{
	struct child child = {0};
	int rc = run_in_loop(&child, command);

	if (rc < 0)
		return err_set_errno(err, rc, "run %s", command->argv[0]);
	if (child.timed_out)
		return err_set(err, -ETIMEDOUT, "%s has not ended after %.1f s: killed",
			       command->argv[0], (double)command->timeout_ms / 1000);
	ret->exit_status = child.exit_status;
	printable_copy(child.tail.text, ret->last_line, sizeof(ret->last_line));
	return 0;
}
