/* crowd.h - who is connected to a listener: who comes in, who waits, and who must go.
 *
 * Connections are counted for each origin (a user, an address, a process: whatever the owner makes
 * a key of), and origins have a rank. Three rules:
 *
 * - An origin has at most `each` places; strangers have `strangers` of all places together; the
 *   last `reserve` places are for the trusted alone.
 * - Who finds its part full takes the place of a connection that is idle: of its own where its own
 *   part is full, else of the largest origin of no higher rank. Idle is a connection without a
 * whole request, so one that says nothing, or that sends its request for ever. Nobody loses a place
 * who came, or was served, less than grace_ms ago.
 * - Where nobody can go yet, one waits for patience_ms; then, and where too many wait, it is
 *   refused.
 *
 * Besides, nobody is idle for longer than idle_ms, however many bytes it sends meanwhile; and an
 * origin has at most `streams` replies without end.
 *
 * Pure: time is an argument. Memory: one small block for each origin.
 *
 * Calling sequence: crowd_new -> crowd_arrive, busy, idle, leave ..., after each of them and at
 * crowd_due_ms() crowd_next() until it says no -> crowd_free.
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
	/* There is one origin only, and who is behind needs no look: none is refused, but nobody is
	 * to arrive while too many wait. */
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

/* It waits now: see crowd_next(). False: refused, for there is no room to wait, or no memory. */
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

/* Of one that is in. Idle again also starts its time anew. */
void crowd_busy(struct crowd *c, struct crowd_member *m);
void crowd_idle(struct crowd *c, struct crowd_member *m, uint64_t now_ms);
/* A busy one begins a reply without end. False: its origin has too many. */
bool crowd_stream(struct crowd *c, struct crowd_member *m);

/* Also of one that is gone already: then nothing happens. */
void crowd_leave(struct crowd *c, struct crowd_member *m);

/* For a newcomer of that rank there is a place and nothing else: who goes for it. Somebody idle of
 * no higher rank; else anybody of a lower one; else NULL. It has left. */
struct crowd_member *crowd_make_room(struct crowd *c, enum crowd_rank rank, uint64_t now_ms);

/* May one more arrive? Always, but where all wait. */
bool crowd_has_room(const struct crowd *c);

/* Who has waited longest, or NULL: to be let go at the end. */
struct crowd_member *crowd_first_waiting(const struct crowd *c);
enum crowd_rank crowd_member_rank(const struct crowd_member *m);
