/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options.h - the command line of a daemon, as stewardd(8) and conductord(8) show it.
 *
 * All have --config FILE, --foreground, --check, --version and --help; a program may have more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_MORE_MAX 8

struct options {
	const char *config;
	bool foreground; /* log to stderr */
	bool check;      /* validate the configuration, and exit */
};

/* One of a program's own: sets *flag, or takes a value. */
struct options_more {
	const char *name;
	bool *flag;
	const char **value;
	const char *help; /* a line of --help: "--once         one try, then exit"; NULL = none */
};

struct options_program {
	const char *name;
	const char *config; /* the default */
	const struct options_more *more;
	size_t n_more;
};

/* Returns -1 to go on, or what the process exits with: 0 after --help and --version, EX_USAGE. */
int options_parse(struct options *ret, const struct options_program *program, int argc,
		  char **argv);
