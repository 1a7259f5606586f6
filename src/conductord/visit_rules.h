/* visit_rules.h - what a visit does with the answer of the router that it has called. Pure.
 *
 * Right after its session begins a router is not there yet: its forwarding comes a moment later,
 * and it hears of its enrolment when this conductor knows already. It is called again soon, for
 * half a minute.
 *
 * One that answers is there, and so its session is. What it cannot take now it may take later: it
 * tries a newer token, or its disk is full. It is called for as long as it answers, without haste.
 * One that does not is let go: its next session brings the next visit.
 */
#pragma once

#include <stdint.h>

#define VISIT_SOON_MS  500
#define VISIT_SOON_MAX 60
#define VISIT_LATER_MS 30000

enum visit_next {
	VISIT_DONE,    /* it has what it was sent */
	VISIT_AGAIN,   /* after visit_wait_ms() */
	VISIT_LET_GO,  /* it is not there */
	VISIT_REFUSED, /* what it was sent is wrong */
};

/* status: of HTTP; 0 = it did not answer. calls: that were in vain, with this one. */
enum visit_next visit_judge(int status, unsigned calls);
uint64_t visit_wait_ms(unsigned calls);
