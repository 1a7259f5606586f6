/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port_listen.h - one socket that listens on IPv4 and IPv6. */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* address: NULL = all addresses; on a kernel without IPv6, all of IPv4. port 0 = any. *ret:
 * non-blocking, close-on-exec. Errors: -EINVAL (no address), those of bind. */
int port_listen(const char *address, uint16_t port, int *ret, struct err *err);

/* The port that it listens on. */
uint16_t port_listened(int fd);
