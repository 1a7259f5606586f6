/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_probe.h - does something come back through a tunnel? Asked at its local port.
 *
 * The way there is: ssh takes the connection and asks sshd to connect to the conductor's
 * repository. Whatever comes back, an answer or that there is nobody, was said by the other end.
 *
 * Calling sequence: tunnel_probe_init -> tunnel_probe_start -> ended ... -> tunnel_probe_close.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct tunnel_probe {
	uv_loop_t *loop;
	uv_timer_t timer;
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	bool is_asking; /* tcp is open, or not yet closed */
	bool is_told;   /* it has ended: nothing is told of it any more */
	bool closing;
	unsigned open; /* handles */
	void (*ended)(struct tunnel_probe *p, bool is_answered);
	void (*closed)(struct tunnel_probe *p);
};

/* ended: is_answered = false after five seconds of silence. Does not come inside of start. */
void tunnel_probe_init(struct tunnel_probe *p, uv_loop_t *loop,
		       void (*ended)(struct tunnel_probe *p, bool is_answered));

/* Nothing happens if it asks already. */
void tunnel_probe_start(struct tunnel_probe *p, uint16_t local_port);
/* ended does not come any more, until it is started again. */
void tunnel_probe_stop(struct tunnel_probe *p);

void tunnel_probe_close(struct tunnel_probe *p, void (*closed)(struct tunnel_probe *p));
