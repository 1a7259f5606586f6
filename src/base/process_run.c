/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A child that is waited for, in a loop of its own. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "base/process.h"

/* What is kept of a child's stderr: see last_line. */
struct tail {
	char text[PROCESS_LINE_SIZE];
	size_t used;
	bool ended; /* an empty line came after text */
	char all[PROCESS_ALL_SIZE];
	size_t all_used;
};

/* A child with its stderr and the limit of its time. */
struct run {
	struct process process;
	uv_timer_t limit;
	struct tail tail;
	int exit_status;
	struct err err;
	bool timed_out;
};

static void tail_append(struct tail *t, const char *text)
{
	while (*text && t->used < sizeof(t->text) - 1)
		t->text[t->used++] = *text++;
	t->text[t->used] = '\0';
}

static void tail_keep(struct tail *t, const char *text)
{
	const char *blank = t->all_used > 0 ? " " : "";
	const size_t room = sizeof(t->all) - t->all_used;
	int n = snprintf(t->all + t->all_used, room, "%s%s", blank, text);

	if (n > 0)
		t->all_used += MIN((size_t)n, room - 1);
}

static void tail_take(struct tail *t, const char *line)
{
	const char *text = line + strspn(line, " \t\r");

	if (*text == '\0') {
		t->ended = true;
		return;
	}
	tail_keep(t, text);
	if (text > line && !t->ended && t->used > 0)
		tail_append(t, " ");
	else
		t->used = 0;
	tail_append(t, text);
	t->ended = false;
}

static void on_said(struct process *process, const char *line)
{
	struct run *run = container_of(process, struct run, process);

	tail_take(&run->tail, line);
}

static void on_exited(struct process *process, int exit_status, const struct err *err)
{
	struct run *run = container_of(process, struct run, process);

	run->exit_status = exit_status;
	run->err = *err;
	uv_close((uv_handle_t *)&run->limit, NULL);
}

static void on_limit(uv_timer_t *timer)
{
	struct run *run = container_of(timer, struct run, limit);

	run->timed_out = true;
	process_end(&run->process, 0);
}

static int run_in_loop(struct run *run, const struct process_command *command)
{
	const struct process_options options = {
		.argv = command->argv,
		.stdio = -1,
		.fd = command->fd,
		.said = on_said,
		.exited = on_exited,
	};
	uv_loop_t loop;
	int rc;

	rc = uv_loop_init(&loop);
	if (rc < 0)
		return rc;
	(void)uv_timer_init(&loop, &run->limit);
	(void)uv_timer_start(&run->limit, on_limit, command->timeout_ms, 0);
	process_start(&run->process, &loop, &options);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&loop) < 0)
		assert(!"every handle of the child is closed");
	return 0;
}

int process_run(const struct process_command *command, struct process_result *ret, struct err *err)
{
	struct run run = {0};
	int rc = run_in_loop(&run, command);

	if (rc < 0)
		return err_set_errno(err, rc, "run %s", command->argv[0]);
	if (run.err.code < 0)
		return err_set(err, run.err.code, "%s", run.err.text);
	if (run.timed_out)
		return err_set(err, -ETIMEDOUT, "%s has not ended after %.1f s: killed",
			       command->argv[0], (double)command->timeout_ms / 1000);
	ret->exit_status = run.exit_status;
	printable_copy(run.tail.all, ret->said, sizeof(ret->said));
	printable_copy(run.tail.text, ret->last_line, sizeof(ret->last_line));
	return 0;
}
