/* options.h - the command line of a daemon (architecture.md, "Configuration"). */
#pragma once

#include <stdbool.h>

struct options {
	const char *config;
	bool foreground; /* log to stderr */
	bool check;      /* validate the configuration, and exit */
};

/* Returns -1 to go on, or what the process exits with: 0 after --help and --version, EX_USAGE. */
int options_parse(struct options *ret, int argc, char **argv);
