/* reboot.h - the machine's reboot, commanded by a program that may fail or hang, or succeed without
 * one.
 *
 * Calling sequence: reboot_init -> [reboot_start -> commanding -> (we are ended | failed)] ... ->
 * reboot_close.
 */
#pragma once

#include <uv.h>

#include "core/process.h"

struct reboot;

struct reboot_callbacks {
	/* Now: what is to be known after the boot is kept before it returns. */
	void (*commanding)(struct reboot *r);
	/* It could not be commanded, or did not come; reason is for an operator. */
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

/* Half a second later: an answer to a conductor goes out first. The command has 30 s, and the
 * reboot ten minutes from its end. Nothing happens while one is under way. */
void reboot_start(struct reboot *r);

/* The command, if it runs, is ended: a reboot that it has asked for comes all the same. */
void reboot_close(struct reboot *r, void (*closed)(struct reboot *r));
