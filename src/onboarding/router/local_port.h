/* SPDX-License-Identifier: GPL-3.0-or-later */
/* local_port.h - chooses a port of 127.0.0.1 for the local end of a tunnel.
 *
 * It is the port that the tunnel had before, so that its users need not change anything; another
 * one if another program listens on that port now.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* before: the port it had; 0 = none. Another program may take the port before ssh binds it: then
 * the next try chooses again. Errors: those of socket and bind. */
int local_port_choose(uint16_t *ret, uint16_t before, struct err *err);
