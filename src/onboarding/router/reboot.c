/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/reboot.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"

#define DELAY_MS    500
#define PATIENCE_MS 30000
#define END_MS      1000   /* for a command that was told to end, before it is killed */
#define COMING_MS   600000 /* services may take their time to stop */

void reboot_init(struct reboot *r, uv_loop_t *loop, const char *const *command,
		 const struct reboot_callbacks *callbacks)
{
	memset(r, 0, sizeof(*r));
	r->callbacks = callbacks;
	r->command = command;
	r->coming_ms = COMING_MS;
	(void)uv_timer_init(loop, &r->timer);
}

static void part_closed(struct reboot *r)
{
	if (--r->closing == 0)
		r->closed(r);
}

static void on_said(struct process *process, const char *line)
{
	struct reboot *r = container_of(process, struct reboot, process);

	if (*line != '\0')
		printable_copy(line, r->said, sizeof(r->said));
}

static void on_not_come(uv_timer_t *timer)
{
	struct reboot *r = container_of(timer, struct reboot, timer);
	char reason[2 * PROCESS_SAID_SIZE];

	(void)snprintf(reason, sizeof(reason),
		       "%s ended with status 0, and no reboot came within %llu s: %s",
		       r->command[0], (unsigned long long)(r->coming_ms / 1000),
		       r->said[0] ? r->said : "it said nothing");
	r->callbacks->failed(r, reason);
}

static void on_exited(struct process *process, int exit_status, const struct err *err)
{
	struct reboot *r = container_of(process, struct reboot, process);
	char reason[2 * PROCESS_SAID_SIZE];

	if (r->closing > 0) {
		part_closed(r);
		return;
	}
	(void)uv_timer_stop(&r->timer);
	if (err->code < 0) {
		(void)snprintf(reason, sizeof(reason), "%s", err->text);
	} else if (r->is_late) {
		(void)snprintf(reason, sizeof(reason), "%s did not end within %d s", r->command[0],
			       PATIENCE_MS / 1000);
	} else if (exit_status != 0) {
		(void)snprintf(reason, sizeof(reason), "%s ended with status %d: %s", r->command[0],
			       exit_status, r->said);
	} else {
		(void)uv_timer_start(&r->timer, on_not_come, r->coming_ms, 0);
		return;
	}
	r->callbacks->failed(r, reason);
}

static void on_late(uv_timer_t *timer)
{
	struct reboot *r = container_of(timer, struct reboot, timer);

	r->is_late = true;
	process_end(&r->process, END_MS);
}

static void on_due(uv_timer_t *timer)
{
	struct reboot *r = container_of(timer, struct reboot, timer);
	const struct process_options options = {
		.argv = r->command,
		.stdio = -1,
		.fd = -1,
		.said = on_said,
		.exited = on_exited,
	};

	r->said[0] = '\0';
	r->is_late = false;
	r->callbacks->commanding(r);
	process_start(&r->process, r->timer.loop, &options);
	(void)uv_timer_start(&r->timer, on_late, PATIENCE_MS, 0);
}

void reboot_start(struct reboot *r)
{
	if (!uv_is_active((uv_handle_t *)&r->timer) && r->process.state == PROCESS_IDLE)
		(void)uv_timer_start(&r->timer, on_due, DELAY_MS, 0);
}

static void on_timer_closed(uv_handle_t *handle)
{
	part_closed(container_of((uv_timer_t *)handle, struct reboot, timer));
}

void reboot_close(struct reboot *r, void (*closed)(struct reboot *r))
{
	r->closed = closed;
	r->closing = r->process.state == PROCESS_IDLE ? 1 : 2;
	process_end(&r->process, END_MS);
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
