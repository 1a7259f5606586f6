/* SPDX-License-Identifier: GPL-3.0-or-later */
/* visit_rules.h - what to do after a visit, by the answer of the router that was called. Pure.
 *
 * Right after its session begins a router is not reachable yet: its port is forwarded a moment
 * later, and it may not know yet that it is enrolled. So it is called again soon, for half a
 * minute.
 *
 * A router that answers is reachable. It may be unable to take the configuration now: it tries a
 * newer token, or its disk is full. It is called again every 30 s for as long as it answers. A
 * router that does not answer is not called any more: its next session begins a new visit.
 */
#pragma once

#include <stdint.h>

#define VISIT_SOON_MS  500
#define VISIT_SOON_MAX 60
#define VISIT_LATER_MS 30000

enum visit_next {
	VISIT_DONE,    /* the router has what it was sent */
	VISIT_AGAIN,   /* after visit_wait_ms() */
	VISIT_LET_GO,  /* the router is not reachable */
	VISIT_REFUSED, /* the router refuses what it was sent */
};

/* status: HTTP status; 0 = no answer. calls: how many have failed, this one included. */
enum visit_next visit_judge(int status, unsigned calls);
uint64_t visit_wait_ms(unsigned calls);
