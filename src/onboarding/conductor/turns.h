/* turns.h - who has spoken on the open port waits for its turn, has it, and may lose it.
 *
 *	turns_wait ──▶ waits ──── turns_next ────▶ has its turn ──── it is through, or gone
 *	   └ 0: not in time          └ who has stalled goes first ──▶ shown out
 *
 * Nobody who makes progress is ended for one that has not begun. To wait costs the conductor a
 * descriptor, a turn costs it a process of sshd or a handshake: so there are as many turns as
 *places, and of them only so many under way as this machine gets through (pace), else all of them
 *would be slow together and none through in time. Only when there is no place, and somebody waits,
 *who has stalled makes room: whose answer is due and has not come for long, as pace has it. A byte
 *now and then is no answer. Who has stalled is not counted as under way.
 *
 * Who logged in from its address lately is known, and comes before strangers, in three of four
 * turns; a quarter of the places is for the known alone. In its class who waits longest is next.
 *
 * A peer waits for so long as OpenSSH's client does for a banner (ConnectTimeout=15, see tunnel.c).
 * Who would have to wait for longer, by the pace at which turns come now, is told at once: it is
 * back the sooner.
 *
 * Pure: time is an argument, and nothing is allocated after turns_new().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TURNS_WAIT_MS 13000
#define TURNS_HOPE_MS 10000 /* who would wait for longer does not begin to */

enum turns_class {
	TURNS_KNOWN,
	TURNS_STRANGER,
};
#define TURNS_N_CLASSES 2

struct turns_options {
	uint32_t places;     /* turns at once, at least 1 */
	uint32_t waiting;    /* at least 1; with places at most TURNS_ALL_MAX */
	bool we_speak_first; /* the peer's answer is not due before we have said something */
	uint32_t cores;      /* that our work is done on; 0 = it is not what turns are short of */
	uint64_t turn_ms;    /* for which it has it; 0 = for ever */
	uint32_t pace_per_s; /* of turns, believed until there is a queue to measure; at least 1 */
};
#define TURNS_ALL_MAX (1u << 18)

/* A place, and its number of use, so that an old ticket is nobody's. 0 = none. */
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

/* Returns 0 when its turn would not come in time. *ret_shown_out: a stranger who waited and has no
 * place any more, as a known one came; 0 = nobody. */
turns_ticket turns_wait(struct turns *t, enum turns_class class, uint64_t now_ms,
			turns_ticket *ret_shown_out);

/* It got through: how long that took is what others are measured by. */
void turns_through(struct turns *t, turns_ticket ticket, uint64_t now_ms);

/* It is over by itself, and did not get through: perhaps its time was over. */
void turns_over(struct turns *t, turns_ticket ticket, uint64_t now_ms);

/* Shown out, or hung up. A ticket that is not valid any more: nothing happens. */
void turns_leave(struct turns *t, turns_ticket ticket);

/* Somebody's turn is near. First, one at a time, who has stalled in a place that is wanted: it is
 * out by this call, or, if it does not leave, was not asked well: turns_progress(). */
struct turns_move {
	turns_ticket begins;    /* it has its turn now; or 0 */
	turns_ticket shown_out; /* it is to go; or 0 */
};
/* Returns false when there is nothing to do. */
bool turns_next(struct turns *t, uint64_t now_ms, struct turns_move *ret);

/* What was seen of one that has its turn. Returns false when it has said more than anybody needs to
 * (TURNS_RECEIVED_MAX), or has had it for turn_ms: it is to be shown out. */
bool turns_observe(struct turns *t, turns_ticket ticket, const struct turns_sample *sample,
		   uint64_t now_ms);
#define TURNS_RECEIVED_MAX (64u << 10)

/* It is our turn, whatever the kernel knows. */
void turns_progress(struct turns *t, turns_ticket ticket, uint64_t now_ms);

/* Who has waited for TURNS_WAIT_MS; 0 = nobody. */
turns_ticket turns_overdue(const struct turns *t, uint64_t now_ms);

/* Is it valid, and has it its turn? */
bool turns_has_begun(const struct turns *t, turns_ticket ticket);

uint32_t turns_waiting(const struct turns *t);
uint32_t turns_begun(const struct turns *t);

/* The place that a ticket is for: an index below places + waiting. */
uint32_t turns_place(turns_ticket ticket);
