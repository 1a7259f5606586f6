/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crowd.h - the connections of a listener: which are served, which wait, and which must go.
 *
 * Connections are counted for each origin (a user, an address, a process: the owner makes a key
 * of it), and each origin has a rank. Three rules:
 *
 * - An origin has at most `each` places; all strangers together have `strangers` places; the last
 *   `reserve` places are only for the trusted.
 * - If its part is full, a new connection replaces an idle one: of its own origin if that one's
 *   part is full, else of the largest origin of no higher rank. Idle means without a whole
 *   request: it says nothing, or sends its request for ever. A connection that came or was served
 *   less than grace_ms ago is never replaced.
 * - If none can be replaced yet, the new connection waits for patience_ms. After that, or if too
 *   many wait, it is refused.
 *
 * Besides, no connection is idle for longer than idle_ms, however many bytes it sends meanwhile;
 * and an origin has at most `streams` replies without end.
 *
 * Pure: time is an argument. Memory: one small block for each origin.
 *
 * Calling sequence: crowd_new -> crowd_arrive, busy, idle, leave ..., and after each of them and
 * at crowd_due_ms() crowd_next() until it returns false -> crowd_free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crowd_rank {
	CROWD_STRANGER, /* may ask for nothing */
	CROWD_GUEST,
	CROWD_TRUSTED, /* must always get in */
};
#define CROWD_N_RANKS 3

struct crowd_origin {
	uint64_t key[2];
};

struct crowd_limits {
	uint32_t places;
	uint32_t strangers; /* of these, at most, all strangers together */
	uint32_t reserve;   /* of these, for the trusted alone */
	uint32_t each[CROWD_N_RANKS];
	uint32_t waiting[CROWD_N_RANKS]; /* of one origin, besides its places */
	uint32_t waiting_others;         /* of all that are not trusted */
	uint32_t streams;                /* of one origin */
	uint32_t grace_ms;
	uint32_t patience_ms;
	uint32_t idle_ms;
	/* There is only one origin, and connections are not accepted while too many wait: so none
	 * is refused. */
	bool all_wait;
};

struct crowd;
struct crowd_party;

enum crowd_state { CROWD_ABSENT, CROWD_WAITING, CROWD_IDLE, CROWD_BUSY };

/* Embedded in its owner's connection; zeroed before it arrives. */
struct crowd_member {
	enum crowd_state state;
	bool streams;
	uint64_t since_ms; /* waiting, or idle */
	struct crowd_party *party;
	struct crowd_member *older; /* in the line of all that wait, or of all that are idle */
	struct crowd_member *newer;
};

/* NULL = no memory. */
struct crowd *crowd_new(const struct crowd_limits *limits);
/* Nobody is in it any more. */
void crowd_free(struct crowd *c);

/* The connection waits now; crowd_next() says what becomes of it. False: refused, since there is
 * no room to wait, or no memory. */
bool crowd_arrive(struct crowd *c, struct crowd_member *m, struct crowd_origin origin,
		  enum crowd_rank rank, uint64_t now_ms);

/* What is to be done; both may be NULL, and both are done with here. */
struct crowd_change {
	struct crowd_member *goes;   /* close it */
	struct crowd_member *enters; /* serve it: it is idle */
};
bool crowd_next(struct crowd *c, uint64_t now_ms, struct crowd_change *ret);

/* How long until crowd_next() may have something by time alone; UINT64_MAX = for ever. */
uint64_t crowd_due_ms(const struct crowd *c, uint64_t now_ms);

/* A connection that is being served becomes busy, or idle. idle also starts its idle time again. */
void crowd_busy(struct crowd *c, struct crowd_member *m);
void crowd_idle(struct crowd *c, struct crowd_member *m, uint64_t now_ms);
/* A busy connection begins a reply without end. False: its origin has too many. */
bool crowd_stream(struct crowd *c, struct crowd_member *m);

/* The connection has ended. If it has left already, nothing happens. */
void crowd_leave(struct crowd *c, struct crowd_member *m);

/* A new connection of that rank must get in although there is no descriptor: which connection
 * goes for it? One that is idle and of no higher rank; else any of a lower rank; else NULL. It
 * has left already. */
struct crowd_member *crowd_make_room(struct crowd *c, enum crowd_rank rank, uint64_t now_ms);

/* May one more arrive? Always yes, unless all_wait is set. */
bool crowd_has_room(const struct crowd *c);

/* The connection that has waited longest, or NULL: for releasing them at the end. */
struct crowd_member *crowd_first_waiting(const struct crowd *c);
enum crowd_rank crowd_member_rank(const struct crowd_member *m);
