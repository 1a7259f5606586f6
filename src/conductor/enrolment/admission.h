/* SPDX-License-Identifier: GPL-3.0-or-later */
/* admission.h - which connections to the open port are accepted, and how long one that stays
 * silent is kept.
 *
 * Two rules (docs/onboarding.md, "The open port"). First, each address may make so many
 * connections a second, with a burst; for IPv6 the /64 counts as the address. Second, connections
 * whose first byte has not come yet stand in a line of fixed length. If the line is full, a new
 * connection replaces the one that has been silent longest. So nobody keeps others out by doing
 * nothing. A connection that has sent its first byte waits for its turn (turns).
 *
 * Addresses are kept in a table of fixed size, at places that a stranger cannot predict. An
 * address that is not in the table has its whole burst. If there is no room, the address that was
 * quiet longest is forgotten.
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

/* A place in the line, and how often that place was used, so that an old ticket is never valid
 * again. 0 = none. */
typedef uint32_t admission_ticket;

struct admission;

/* NULL = no memory. */
struct admission *admission_new(const struct admission_options *options);
void admission_free(struct admission *a);

/* May this connection come in? Counts it. Addresses that are not IP are always allowed. */
bool admission_admit(struct admission *a, const struct sockaddr *peer, uint64_t now_ms);

/* Enter the line of the silent. *ret_shown_out: the ticket of the connection that lost its place
 * for it, or 0. */
admission_ticket admission_enter(struct admission *a, uint64_t now_ms,
				 admission_ticket *ret_shown_out);

/* The connection has spoken, or is gone. A ticket that is no longer valid: nothing happens. */
void admission_leave(struct admission *a, admission_ticket ticket);

/* The connection that has been in the line longest; 0 = none. *ret_since_ms is when it came. */
admission_ticket admission_oldest(const struct admission *a, uint64_t *ret_since_ms);

/* How many stand there. */
uint32_t admission_count(const struct admission *a);

/* The place that a ticket is for: an index below silent_places. */
uint32_t admission_place(admission_ticket ticket);
