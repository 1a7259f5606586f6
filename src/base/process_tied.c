/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libuv runs no code of ours between fork and exec. So it starts our own program again, which
 * does what must be done there, and then becomes the program that was asked for. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/process.h"

#define NOT_RUN 127

int process_become_tied(char **argv)
{
	pid_t parent;

	if (!argv[0] || !argv[1] || strcmp(argv[1], "--tied") != 0)
		return -1;
	if (!argv[2] || !argv[3])
		return NOT_RUN;
	parent = (pid_t)strtol(argv[2], NULL, 10);
	/* If our parent died before this call, no signal comes: so we compare its id. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent)
		(void)execvp(argv[3], argv + 3);
	return NOT_RUN;
}
