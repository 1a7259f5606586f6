/* port_turns.h - those who spoke one protocol on the open port: they wait for their turn (turns),
 * and are handed on with it.
 *
 * Who waits is a descriptor that nothing was read from. Of who has its turn a second descriptor is
 * kept, so that the kernel can be asked how far it is; both are closed by port_turns_finished().
 *
 * Calling sequence: port_turns_new -> come, go_on -> begin, show_out ... -> port_turns_free. The
 * callbacks come from port_turns_go_on() alone.
 */
#pragma once

#include <sys/socket.h>

#include "onboarding/conductor/known_addresses.h"
#include "onboarding/conductor/turns.h"

struct port_turns;

struct port_turns_options {
	struct turns_options turns;
	int epoll;           /* for the ends of who waits; the caller's */
	uint64_t epoll_mark; /* data.u64 of its events: this, and the ticket in the lower half */
	const struct known_addresses *known; /* NULL = all are strangers */
	/* fd is the callee's, the address for the call. */
	void (*begin)(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket);
	/* Nobody's any more: end it. */
	void (*show_out)(void *owner, turns_ticket ticket);
	/* Can another one be taken now? NULL = always. */
	bool (*has_room)(void *owner);
	/* Is it us that this one waits for? NULL = what the kernel knows is all. */
	bool (*is_busy)(void *owner, turns_ticket ticket);
	void *owner;
};

struct port_turns_counts {
	uint64_t came;
	uint64_t shown_out;   /* of who had its turn: it had stalled, or said too much */
	uint64_t turned_away; /* of who had not: it would have waited for too long, or has */
};

/* NULL = no memory. */
struct port_turns *port_turns_new(const struct port_turns_options *options);
/* Who waits is reset; who has its turn is its owner's. */
void port_turns_free(struct port_turns *p);

/* Takes fd. */
void port_turns_come(struct port_turns *p, int fd, const struct sockaddr_storage *address,
		     uint64_t now_ms);

/* Whose turn is it? Returns whether somebody waits still: to be asked again in TURNS_LOOK_MS. */
bool port_turns_go_on(struct port_turns *p, uint64_t now_ms);
#define TURNS_LOOK_MS 20

/* It ended, while it waited. */
void port_turns_hung_up(struct port_turns *p, turns_ticket ticket);

/* It is over. Returns whether it had its turn; else nothing happens. */
bool port_turns_finished(struct port_turns *p, turns_ticket ticket, uint64_t now_ms);
/* It got through. *ret_address is from where it came, if it had its turn. */
bool port_turns_through(struct port_turns *p, turns_ticket ticket, uint64_t now_ms,
			struct sockaddr_storage *ret_address);

/* All that had their turn are over. */
void port_turns_forget(struct port_turns *p);

const struct port_turns_counts *port_turns_counts(const struct port_turns *p);
uint32_t port_turns_waiting(const struct port_turns *p);
uint32_t port_turns_begun(const struct port_turns *p);

/* Closes it so that nothing of it is left in the kernel, not even TIME_WAIT. */
void port_turns_reset(int fd);
