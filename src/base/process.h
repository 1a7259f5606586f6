/* SPDX-License-Identifier: GPL-3.0-or-later */
/* process.h - a child: spawned, fed, watched, and ended.
 *
 * A child has our environment, but LC_ALL=C, no signal blocked or ignored, and of our descriptors
 * those that it is given: all others above stderr are marked close-on-exec, also those that a
 * library has opened without it. SIGCHLD may not be blocked: it tells of its end.
 *
 * process_run() is for what must be over before the caller goes on, where there is no loop yet:
 * it runs one of its own.
 *
 * Calling sequence on a loop: process_start -> said ... -> [process_end] -> exited. What was
 * started is always told of by exited, once, when the child is gone and no handle of it is left:
 * then the struct may be freed, or started again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

#define PROCESS_LINE_SIZE 256
#define PROCESS_ALL_SIZE  768

struct process_command {
	const char *const *argv; /* argv[0] is looked up in PATH; NULL-terminated */
	int fd;                  /* becomes descriptor 3 of the child; -1 = none */
	uint64_t timeout_ms;     /* then it gets SIGKILL */
};

struct process_result {
	int exit_status; /* 128 + signal, if one ended it */
	/* The last of what it said on stderr, made printable. A line that begins with blanks goes
	 * on with the one before it, unless an empty one is between: so fscrypt wraps. */
	char last_line[PROCESS_LINE_SIZE];
	/* All of it, as far as there is room, its lines joined by blanks; printable. */
	char said[PROCESS_ALL_SIZE];
};

/* Run to the end, stdin and stdout /dev/null. Returns 0 whatever the exit status.
 * Errors: those of exec (-ENOENT: no such program), -ETIMEDOUT, -ENOMEM. */
int process_run(const struct process_command *command, struct process_result *ret, struct err *err);

/*      process_start      process_end, or no exec         gone           closed
 *  IDLE ───────▶ RUNNING ───────▶ ENDING ──────────▶ CLOSING ───────▶ IDLE
 *                   └───────────────────────────────────▲
 */
enum process_state {
	PROCESS_IDLE, /* zeroed memory is so */
	PROCESS_RUNNING,
	PROCESS_ENDING,  /* it has got SIGTERM or SIGKILL */
	PROCESS_CLOSING, /* it is gone, its handles are not yet */
};

struct process;
/* What it said on stderr, without the newline, cut at PROCESS_SAID_SIZE - 1 bytes; not made
 * printable. */
typedef void (*process_said_cb)(struct process *process, const char *line);
/* err is set if it never ran; else exit_status is as in struct process_result. */
typedef void (*process_exited_cb)(struct process *process, int exit_status, const struct err *err);

#define PROCESS_SAID_SIZE 512

/* In front of an argv: a child that does not outlive a parent that was killed. What it cannot run
 * ends with exit status 127. */
#define PROCESS_DIES_WITH_US "setpriv", "--pdeathsig", "TERM"

/* The same by our own program, for who may not set capabilities, not even to what they are, which
 * setpriv does: behind it come our process id and the program. It takes longer to start. */
#define PROCESS_TIED "/proc/self/exe", "--tied"

/* First of all in the main() of who uses that. Returns -1 to go on; else it did not become the
 * program, and this is the exit status. */
int process_become_tied(char **argv);

struct process_options {
	const char *const *argv; /* as above */
	int stdio;               /* becomes its stdin and stdout; -1 = /dev/null */
	int fd;                  /* becomes its descriptor 3; -1 = none */
	bool group;              /* leads a session of its own, which ends with it */
	process_said_cb said;    /* NULL = its stderr is /dev/null */
	/* said comes not for each line but for each write(2), of at most 4 KiB: then what a
	 * stranger made it say cannot look like a line of its own. */
	bool by_message;
	process_exited_cb exited;
};

struct process {
	enum process_state state;
	uv_process_t child;
	uv_pipe_t stderr_pipe;
	uv_timer_t patience;
	unsigned open_handles;
	bool group;
	bool by_message;
	process_said_cb said;
	process_exited_cb exited;
	int exit_status;
	struct err err;
	size_t line_used;
	char line[PROCESS_SAID_SIZE];
	char chunk[4096];
};

/* The descriptors stay the caller's. exited comes later also when there is no such program. */
void process_start(struct process *p, uv_loop_t *loop, const struct process_options *options);

/* SIGTERM, and after patience_ms SIGKILL; 0 = SIGKILL at once. Asked again, the shorter patience
 * counts. Allowed in every state. */
void process_end(struct process *p, uint64_t patience_ms);

/* 0 unless it is running or ending. */
pid_t process_pid(const struct process *p);
