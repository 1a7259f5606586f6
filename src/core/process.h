/* process.h - a child: spawned, fed, watched, and ended.
 *
 * A child has our environment, but LC_ALL=C, and no signal blocked or ignored. Of our descriptors
 * it has those without close-on-exec. SIGCHLD may not be blocked: it tells of its end.
 *
 * process_run() is for what must be over before the caller goes on, where there is no loop yet:
 * it runs one of its own.
 */
#pragma once

#include <stdint.h>

#include "core/err.h"

#define PROCESS_LINE_SIZE 256

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
};

/* Run to the end, stdin and stdout /dev/null. Returns 0 whatever the exit status.
 * Errors: those of exec (-ENOENT: no such program), -ETIMEDOUT, -ENOMEM. */
int process_run(const struct process_command *command, struct process_result *ret, struct err *err);
