/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command_plot.h - show system software download version V plot [FILE.svg]. */
#pragma once

#include "stewardctl/command_place.h"

/* Draws how the download went on the terminal, for each node that is asked; or writes that of one
 * node to file (NULL = the terminal). Returns an exit status, and has said what was wrong. */
int command_plot(const struct invocation *invocation, struct command_place *place,
		 const char *version, const char *file);
