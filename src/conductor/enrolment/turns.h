/* SPDX-License-Identifier: GPL-3.0-or-later */
/* turns.h - a connection on the open port that has spoken waits for its turn, has it, and may
 * lose it.
 *
 *	turns_wait ──▶ waits ──── turns_next ────▶ has its turn ──── it is done, or gone
 *	   └ 0: not in time          └ one that has stalled goes first ──▶ shown out
 *
 * A connection that makes progress is never closed for one that has not begun. Waiting costs the
 * conductor one descriptor; a turn costs a process of sshd, or a handshake. So there are as many
 * turns as places, and of these only so many at the same time as this machine gets through
 * (pace); else all would be slow together, and none done in time. Only if there is no place, and
 * somebody waits, one that has stalled must go: its answer is due and has not come for long, as
 * measured by pace. A byte now and then is no answer. A turn that has stalled does not count as
 * running.
 *
 * An address from which a router logged in lately is known, and comes before strangers in three
 * of four turns; a quarter of the places is for known addresses only. Within its class, the one
 * that has waited longest is next.
 *
 * A peer waits as long as OpenSSH's client waits for a banner (ConnectTimeout=15, see tunnel.c).
 * If, at the present pace, it would have to wait longer, it is turned away at once, so that it
 * comes back sooner.
 *
 * Pure: time is an argument, and nothing is allocated after turns_new().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TURNS_WAIT_MS 13500
#define TURNS_HOPE_MS 12000 /* one that would have to wait longer is not accepted */

enum turns_class {
	TURNS_KNOWN,
	TURNS_STRANGER,
};
#define TURNS_N_CLASSES 2

struct turns_options {
	uint32_t places;     /* turns at once, at least 1 */
	uint32_t waiting;    /* at least 1; with places at most TURNS_ALL_MAX */
	bool we_speak_first; /* the peer's answer is not due before we have said something */
	uint32_t cores;      /* on which our work is done; 0 = turns are not limited by CPU */
	uint64_t turn_ms;    /* how long a turn may last; 0 = for ever */
	uint32_t pace_per_s; /* turns a second, assumed until there is a queue to measure; at least
				1 */
};
#define TURNS_ALL_MAX (1u << 18)

/* A place, and how often it was used, so that an old ticket is never valid again. 0 = none. */
typedef uint32_t turns_ticket;

/* What the kernel knows of a connection that has its turn. */
struct turns_sample {
	uint64_t sent;     /* bytes, of us */
	uint64_t received; /* bytes, of the peer */
	uint32_t unread;   /* bytes of the peer's that wait for us */
	uint32_t round_trip_ms;
};

struct turns;

/* NULL = no memory. */
struct turns *turns_new(const struct turns_options *options);
void turns_free(struct turns *t);

/* Returns 0 if its turn would not come in time. *ret_shown_out: a stranger that waited and lost
 * its place to a known address; 0 = none. */
turns_ticket turns_wait(struct turns *t, enum turns_class class, uint64_t now_ms,
			turns_ticket *ret_shown_out);

/* It is done. How long that took is used to judge others. */
void turns_through(struct turns *t, turns_ticket ticket, uint64_t now_ms);

/* It has ended by itself without being done, perhaps because its time was over. */
void turns_over(struct turns *t, turns_ticket ticket, uint64_t now_ms);

/* It was shown out, or the peer has closed. A ticket that is no longer valid: nothing happens. */
void turns_leave(struct turns *t, turns_ticket ticket);

/* What to do next, one thing at a time. If there is a place, the next that waits has its turn from
 * now on. If not, and one that has its turn has stalled, that one is to be shown out. The caller
 * shows it out and calls turns_leave(); or finds that it only waits for us, and calls
 * turns_progress(). */
struct turns_move {
	turns_ticket begins;    /* it has its turn now; or 0 */
	turns_ticket shown_out; /* it is to go; or 0 */
};
/* Returns false when there is nothing to do. */
bool turns_next(struct turns *t, uint64_t now_ms, struct turns_move *ret);

/* What the kernel says of one that has its turn. Returns false if it is to be shown out: it has
 * sent more than anybody needs to (TURNS_RECEIVED_MAX), or has had its turn for turn_ms. */
bool turns_observe(struct turns *t, turns_ticket ticket, const struct turns_sample *sample,
		   uint64_t now_ms);
#define TURNS_RECEIVED_MAX (64u << 10)

/* It waits for us, whatever the kernel says. */
void turns_progress(struct turns *t, turns_ticket ticket, uint64_t now_ms);

/* One that has waited for TURNS_WAIT_MS; 0 = none. */
turns_ticket turns_overdue(const struct turns *t, uint64_t now_ms);

/* Is the ticket valid, and has it its turn? */
bool turns_has_begun(const struct turns *t, turns_ticket ticket);

uint32_t turns_waiting(const struct turns *t);
uint32_t turns_begun(const struct turns *t);

/* The place that a ticket is for: an index below places + waiting. */
uint32_t turns_place(turns_ticket ticket);
