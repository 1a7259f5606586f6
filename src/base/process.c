/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/process.h"

#include <assert.h>
#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"

static const char *state_name(enum process_state state)
{
	static const char *const names[] = {"idle", "running", "ending", "closing"};

	return names[state];
}

static void set_state(struct process *p, enum process_state state)
{
	static const unsigned allowed[] = {
		[PROCESS_IDLE] = 1u << PROCESS_RUNNING | 1u << PROCESS_CLOSING,
		[PROCESS_RUNNING] = 1u << PROCESS_ENDING | 1u << PROCESS_CLOSING,
		[PROCESS_ENDING] = 1u << PROCESS_CLOSING,
		[PROCESS_CLOSING] = 1u << PROCESS_IDLE,
	};

	assert(allowed[p->state] & 1u << state);
	log_debug("process %d: %s, was %s", process_pid(p), state_name(state),
		  state_name(p->state));
	p->state = state;
}

pid_t process_pid(const struct process *p)
{
	return p->state == PROCESS_RUNNING || p->state == PROCESS_ENDING ? p->child.pid : 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct process *p = handle->data;
	process_exited_cb exited = p->exited;
	struct err err = p->err;

	if (--p->open_handles > 0)
		return;
	set_state(p, PROCESS_IDLE);
	exited(p, p->exit_status, &err);
}

static void close_handle(uv_handle_t *handle)
{
	bool opened = handle->loop != NULL;

	if (opened)
		uv_close(handle, on_handle_closed);
}

static void enter_closing(struct process *p)
{
	set_state(p, PROCESS_CLOSING);
	close_handle((uv_handle_t *)&p->child);
	close_handle((uv_handle_t *)&p->stderr_pipe);
	close_handle((uv_handle_t *)&p->patience);
}

static void end_line(struct process *p)
{
	p->line[p->line_used] = '\0';
	p->line_used = 0;
	p->said(p, p->line);
}

static void take_message(struct process *p, const char *bytes, size_t size)
{
	while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
		size--;
	p->line_used = MIN(size, sizeof(p->line) - 1);
	memcpy(p->line, bytes, p->line_used);
	end_line(p);
}

static void take_lines(struct process *p, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\0')
			end_line(p);
		else if (p->line_used < sizeof(p->line) - 1)
			p->line[p->line_used++] = bytes[i];
	}
}

static void take(struct process *p, const char *bytes, size_t size)
{
	if (p->by_message)
		take_message(p, bytes, size);
	else
		take_lines(p, bytes, size);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct process *p = handle->data;

	(void)suggested;
	*ret = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void on_said(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct process *p = stream->data;

	if (n < 0)
		(void)uv_read_stop(stream);
	else
		take(p, buffer->base, (size_t)n);
}

/* Reads what the child wrote before it ended. We do not wait for the end of the pipe, since a
 * child of the child may hold it open, or write for ever. */
static void read_rest(struct process *p)
{
	size_t left = 1 << 20; /* more than a pipe holds */
	uv_os_fd_t fd;

	if (!p->said || uv_fileno((uv_handle_t *)&p->stderr_pipe, &fd) < 0)
		return;
	while (left > 0) {
		ssize_t n = read(fd, p->chunk, MIN(left, sizeof(p->chunk)));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		take(p, p->chunk, (size_t)n);
		left -= (size_t)n;
	}
	if (p->line_used > 0)
		end_line(p);
}

static void send_signal(const struct process *p, int signal)
{
	(void)kill(p->group ? -p->child.pid : p->child.pid, signal);
}

static void on_exit_of_child(uv_process_t *child, int64_t exit_status, int signal)
{
	struct process *p = child->data;

	p->exit_status = signal ? 128 + signal : (int)exit_status;
	/* Ends the children that the child has left, if any: their process group exists until the
	 * last of them is gone. */
	if (p->group)
		send_signal(p, SIGKILL);
	read_rest(p);
	enter_closing(p);
}

static void free_environment(char ***environment)
{
	free(*environment);
}

/* Our environment with LC_ALL=C. The strings are not copied. NULL = out of memory. */
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

static uv_stdio_container_t inherited(int fd)
{
	return fd < 0 ? (uv_stdio_container_t){.flags = UV_IGNORE}
		      : (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = fd};
}

static int spawn(struct process *p, uv_loop_t *loop, const struct process_options *options,
		 int error)
{
	_cleanup_(free_environment) char **environment = child_environment();
	uv_stdio_container_t stdio[4] = {
		inherited(options->stdio),
		inherited(options->stdio),
		inherited(error),
		inherited(options->fd),
	};
	uv_process_options_t spawned = {
		.exit_cb = on_exit_of_child,
		.file = options->argv[0],
		.env = environment,
		.flags = options->group ? UV_PROCESS_DETACHED : 0,
		.stdio_count = options->fd < 0 ? 3 : 4,
		.stdio = stdio,
	};

	if (!environment)
		return -ENOMEM;
	/* Some libraries open descriptors that a child would inherit (libcurl 7.88: its wakeup
	 * sockets). libuv duplicates those that the child is to have, and the duplicates are not
	 * marked. */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	/* execvp(3) changes none of the strings, although its type is char *const []. */
	memcpy(&spawned.args, &options->argv, sizeof(spawned.args));
	return uv_spawn(loop, &p->child, &spawned);
}

/* Starts the child with a socket pair for its stderr: a stream, or one that keeps each write
 * apart. */
static int spawn_heard(struct process *p, uv_loop_t *loop, const struct process_options *options)
{
	int ends[2];
	int rc;

	if (!options->said)
		return spawn(p, loop, options, -1);
	if (socketpair(AF_UNIX, (p->by_message ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0,
		       ends) < 0)
		return -errno;
	rc = spawn(p, loop, options, ends[1]);
	(void)close(ends[1]);
	if (rc < 0) {
		(void)close(ends[0]);
		return rc;
	}
	(void)uv_pipe_open(&p->stderr_pipe,
			   ends[0]); /* it fails only for a socket that is no stream */
	(void)uv_read_start((uv_stream_t *)&p->stderr_pipe, on_alloc, on_said);
	return 0;
}

void process_start(struct process *p, uv_loop_t *loop, const struct process_options *options)
{
	int rc;

	assert(p->state == PROCESS_IDLE);
	*p = (struct process){
		.group = options->group,
		.by_message = options->by_message,
		.said = options->said,
		.exited = options->exited,
		.child.data = p,
		.stderr_pipe.data = p,
		.patience.data = p,
		.open_handles = 3,
	};
	(void)uv_timer_init(loop, &p->patience);
	(void)uv_pipe_init(loop, &p->stderr_pipe, 0);
	rc = spawn_heard(p, loop, options);
	/* If there was no memory for the environment, libuv was never asked to start the child. */
	if (!p->child.loop)
		p->open_handles--;
	if (rc < 0) {
		(void)err_set_errno(&p->err, rc, "run %s", options->argv[0]);
		enter_closing(p);
		return;
	}
	set_state(p, PROCESS_RUNNING);
}

static void on_patience_over(uv_timer_t *timer)
{
	struct process *p = timer->data;

	send_signal(p, SIGKILL);
}

void process_end(struct process *p, uint64_t patience_ms)
{
	if (p->state != PROCESS_RUNNING && p->state != PROCESS_ENDING)
		return;
	if (p->state == PROCESS_RUNNING)
		set_state(p, PROCESS_ENDING);
	else if (uv_timer_get_due_in(&p->patience) <= patience_ms)
		return;
	send_signal(p, patience_ms > 0 ? SIGTERM : SIGKILL);
	(void)uv_timer_start(&p->patience, on_patience_over, patience_ms, 0);
}
