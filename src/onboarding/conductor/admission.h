/* admission.h - who is let in on the open port, and how long who says nothing may stay.
 *
 * Two rules (docs/onboarding.md, "The open port"). One: so many connections a second and address,
 * with a burst; the address of IPv6 is its /64. Two: whose first byte has not come stands in a line
 * of fixed length; who comes to a full one takes the place of the one who has been silent longest.
 * So nobody keeps others out by doing nothing. Who has spoken waits for its turn: turns.
 *
 * The addresses are kept in a table of fixed size, at places that a stranger cannot foresee. An
 * address that is not in it has its whole burst; who was quiet longest is forgotten for a newcomer.
 *
 * Pure: time is an argument, and nothing is allocated after admission_new().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct admission_options {
	uint32_t silent_places; /* at least 1, at most ADMISSION_PLACES_MAX */
	uint32_t rate_per_s;    /* and address; 0 = no limit */
	uint32_t burst;         /* at least 1 */
	uint64_t seed;          /* random */
};
#define ADMISSION_PLACES_MAX 65535

/* A place in a line, and its number of use, so that an old ticket is nobody's. 0 = none. */
typedef uint32_t admission_ticket;

struct admission;

/* NULL = no memory. */
struct admission *admission_new(const struct admission_options *options);
void admission_free(struct admission *a);

/* May this peer's connection come in? Counts it. Other families than IP: yes. */
bool admission_admit(struct admission *a, const struct sockaddr *peer, uint64_t now_ms);

/* Stand in the line of the silent. *ret_shown_out is the ticket of who lost its place for it, or 0.
 */
admission_ticket admission_enter(struct admission *a, uint64_t now_ms,
				 admission_ticket *ret_shown_out);

/* It spoke, or is gone. A ticket that is not valid any more: nothing happens. */
void admission_leave(struct admission *a, admission_ticket ticket);

/* Who has stood there longest; 0 = nobody. *ret_since_ms is when it came. */
admission_ticket admission_oldest(const struct admission *a, uint64_t *ret_since_ms);

/* How many stand there. */
uint32_t admission_count(const struct admission *a);

/* The place that a ticket is for: an index below silent_places. */
uint32_t admission_place(admission_ticket ticket);
