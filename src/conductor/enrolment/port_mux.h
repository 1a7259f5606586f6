/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port_mux.h - one port, two protocols: the first byte decides.
 *
 * port_mux looks at a connection without reading it (MSG_PEEK): 0x16 is TLS, 'S' is SSH. Each
 * waits for its turn (port_turns) and is handed on untouched. Anything else, and silence for 5 s,
 * is closed. One byte decides: waiting for a second one while the first is unread would spin.
 *
 * admission decides which connections are accepted. A silent one costs only a place in a table
 * that was made at the start. A connection that is handed on has a ticket, and keeps its turn
 * until port_mux_finished(): its handshake has verified the peer, its session is authenticated,
 * or it is over. Until then show_out() may be called for it: close it, since it has stalled and
 * others wait. After port_mux_finished() or show_out() the ticket is invalid, and
 * port_mux_finished() for it does nothing.
 *
 * Calling sequence: port_mux_open -> tls, ssh, show_out ... -> port_mux_close. The callbacks come
 * from the loop. The struct sockaddr is theirs during the call; the descriptor is theirs for good
 * (non-blocking, close-on-exec).
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "conductor/enrolment/port_options.h"

struct port_mux;

/* Connections since the start; each is in one of the first five, or still silent. */
struct port_mux_counts {
	uint64_t tls;
	uint64_t ssh;
	uint64_t garbage;         /* another first byte, or none before its end */
	uint64_t silent;          /* silent for too long, or the longest of all when another came */
	uint64_t refused;         /* too many of its address */
	uint64_t tls_shown_out;   /* of tls: it had its turn, and stalled */
	uint64_t ssh_shown_out;   /* of ssh, likewise */
	uint64_t tls_turned_away; /* of tls: its turn did not come in time */
	uint64_t ssh_turned_away; /* of ssh, likewise */
	uint64_t accept_failures; /* no descriptor or memory was left */
};

int port_mux_open(struct port_mux **ret, uv_loop_t *loop, const struct port_mux_options *options,
		  struct err *err);
void port_mux_close(struct port_mux *mux, void (*closed)(void *owner), void *owner);

void port_mux_finished(struct port_mux *mux, enum port_line line, turns_ticket ticket);
/* It finished well. For SSH: its address is known from now on; returns whether that is new. */
bool port_mux_through(struct port_mux *mux, enum port_line line, turns_ticket ticket);
/* All SSH sessions that had their turn are over; those that wait go on waiting. */
void port_mux_forget_ssh(struct port_mux *mux);
/* ssh_has_room may return true again. */
void port_mux_look(struct port_mux *mux);

uint16_t port_mux_port(const struct port_mux *mux);
struct port_mux_counts port_mux_counts(const struct port_mux *mux);
/* How many there are now. */
uint32_t port_mux_silent(const struct port_mux *mux);
uint32_t port_mux_waiting(const struct port_mux *mux, enum port_line line);
uint32_t port_mux_begun(const struct port_mux *mux, enum port_line line);
