/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reboot.h - reboots the machine by a command that may fail, hang, or succeed without a reboot.
 *
 * Calling sequence: reboot_init -> [reboot_start -> commanding -> (this process is ended |
 * failed)] ... -> reboot_close.
 */
#pragma once

#include <uv.h>

#include "base/process.h"

struct reboot;

struct reboot_callbacks {
	/* The command is run next: what must be known after the boot has to be on disk when this
	 * returns. */
	void (*commanding)(struct reboot *r);
	/* The command failed, or no reboot came; reason is for an operator. */
	void (*failed)(struct reboot *r, const char *reason);
};

struct reboot {
	const struct reboot_callbacks *callbacks;
	const char *const *command; /* NULL-terminated */
	uv_timer_t timer;   /* until it is commanded; of the command's patience; until it comes */
	uint64_t coming_ms; /* that it may take to come */
	struct process process;
	char said[PROCESS_SAID_SIZE]; /* the command's last line */
	bool is_late;
	unsigned closing;
	void (*closed)(struct reboot *r);
};

/* command is borrowed until closed. */
void reboot_init(struct reboot *r, uv_loop_t *loop, const char *const *command,
		 const struct reboot_callbacks *callbacks);

/* The command is run half a second later, so that an answer to a conductor is sent first. The
 * command has 30 s, and the reboot ten minutes after its end. If a reboot is under way already,
 * nothing happens. */
void reboot_start(struct reboot *r);

/* Ends the command if it runs. A reboot that it has already asked for comes nevertheless. */
void reboot_close(struct reboot *r, void (*closed)(struct reboot *r));
