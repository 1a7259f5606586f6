/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port_lines.h - the settings of port_turns for the two protocols of the open port: how many at
 * the same time, and at what pace.
 */
#pragma once

#include "conductor/enrolment/port_options.h"
#include "conductor/enrolment/port_turns.h"

/* The options' owner and callbacks are those of the mux's owner, and borrowed as long as the lines
 * are. A line is NULL where there was no memory for it. */
void port_lines_make(struct port_mux_options *options, int epoll,
		     struct port_turns *ret[PORT_N_LINES]);
