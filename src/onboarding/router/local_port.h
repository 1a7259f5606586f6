/* local_port.h - a port of 127.0.0.1 for this end of a tunnel.
 *
 * The one that it had, so that who uses it need not look anew; another where somebody else listens
 * there meanwhile.
 */
#pragma once

#include <stdint.h>

#include "core/err.h"

/* before: 0 = it had none. Between this and ssh's bind somebody may take it: the next try chooses
 * again. Errors: those of socket and bind. */
int local_port_choose(uint16_t *ret, uint16_t before, struct err *err);
