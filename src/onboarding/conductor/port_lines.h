/* port_lines.h - what the two protocols of the open port are to port_turns: how many at once, and
 * at what pace. */
#pragma once

#include "onboarding/conductor/port_mux.h"
#include "onboarding/conductor/port_turns.h"

/* The options' owner and callbacks are those of the mux's owner, and borrowed as long as the lines
 * are. A line is NULL where there was no memory for it. */
void port_lines_make(struct port_mux_options *options, int epoll,
		     struct port_turns *ret[PORT_N_LINES]);
