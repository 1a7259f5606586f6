/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_request.h - what conductord asks of the network that the tunnels end in.
 *
 * Both return a descriptor (non-blocking, close-on-exec), or a negative errno.
 */
#pragma once

#include <stdint.h>

/* A connection to localhost: within 100 ms, or -EAGAIN: the listener's queue is full. */
int tunnel_request_connect(uint16_t port);

/* A listener on localhost. */
int tunnel_request_listen(uint16_t port);
