/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port_turns.h - the connections of one protocol on the open port: they wait for their turn
 * (turns) and are handed on when it comes.
 *
 * A connection that waits is a descriptor from which nothing was read. While it has its turn, a
 * second descriptor of it is kept, so that the kernel can be asked how far it is.
 * port_turns_finished() closes both.
 *
 * Calling sequence: port_turns_new -> come, go_on -> begin, show_out ... -> port_turns_free. Only
 * port_turns_go_on() calls the callbacks.
 */
#pragma once

#include <sys/socket.h>

#include "conductor/enrolment/known_addresses.h"
#include "conductor/enrolment/turns.h"

struct port_turns;

struct port_turns_options {
	struct turns_options turns;
	int epoll;           /* to notice connections that end while they wait; the caller's */
	uint64_t epoll_mark; /* data.u64 of its events: this, and the ticket in the lower half */
	const struct known_addresses *known; /* NULL = all are strangers */
	/* fd is the callee's, the address for the call. */
	void (*begin)(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket);
	/* End this connection; its ticket is invalid. */
	void (*show_out)(void *owner, turns_ticket ticket);
	/* Can another one be handed on now? NULL = always. */
	bool (*has_room)(void *owner);
	/* Does this connection wait for us? NULL = only what the kernel knows counts. */
	bool (*is_busy)(void *owner, turns_ticket ticket);
	void *owner;
};

struct port_turns_counts {
	uint64_t came;
	uint64_t shown_out; /* of those that had their turn: it had stalled, or sent too much */
	uint64_t
		turned_away; /* of those that had not: it would have to wait for too long, or has */
};

/* NULL = no memory. */
struct port_turns *port_turns_new(const struct port_turns_options *options);
/* Resets the connections that wait. Those that have their turn belong to their owners. */
void port_turns_free(struct port_turns *p);

/* Takes fd. */
void port_turns_come(struct port_turns *p, int fd, const struct sockaddr_storage *address,
		     uint64_t now_ms);

/* Hands on those whose turn it is. Returns whether some still wait: then call it again in
 * TURNS_LOOK_MS. */
bool port_turns_go_on(struct port_turns *p, uint64_t now_ms);
#define TURNS_LOOK_MS 20

/* The peer has closed, while it waited. */
void port_turns_hung_up(struct port_turns *p, turns_ticket ticket);

/* It is over. Returns whether it had its turn; else nothing happens. */
bool port_turns_finished(struct port_turns *p, turns_ticket ticket, uint64_t now_ms);
/* It has finished well. *ret_address is where it came from, if it had its turn. */
bool port_turns_through(struct port_turns *p, turns_ticket ticket, uint64_t now_ms,
			struct sockaddr_storage *ret_address);

/* All that had their turn are over. */
void port_turns_forget(struct port_turns *p);

const struct port_turns_counts *port_turns_counts(const struct port_turns *p);
uint32_t port_turns_waiting(const struct port_turns *p);
uint32_t port_turns_begun(const struct port_turns *p);

/* Closes fd so that nothing is left in the kernel, not even TIME_WAIT. */
void port_turns_reset(int fd);
