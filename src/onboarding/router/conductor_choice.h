/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conductor_choice.h - which conductors an enrolled router keeps, when it hears of others. Pure.
 *
 * A router that lets go of its last way needs a token, and somebody who brings it. So it keeps a
 * conductor that is listed no more, and goes on trying it, until a tunnel to a listed one stands.
 * What is kept is written at once and as a whole: wherever the router is killed, it comes up with
 * the list of before or with the new one, and both have a way that it had.
 *
 *	      a newer list                     a tunnel to a listed one stands
 *	kept ─────────────▶ listed + leaving ─────────────────────────────────▶ listed
 */
#pragma once

#include "onboarding/conductor_list.h"

enum conductor_choice {
	CONDUCTORS_STAY, /* the list is the one that is kept, or an older one */
	CONDUCTORS_CHANGE,
};

#define CONDUCTOR_IS_DOWN (-1)

/* up_by, for each that is kept: CONDUCTOR_IS_DOWN, or which of its keys the conductor has shown at
 * the other end of the tunnel that stands. With CONDUCTORS_CHANGE, ret is what is to be kept. */
enum conductor_choice conductor_choose(const struct conductor_list *kept, const int *up_by,
				       const struct conductor_list *heard,
				       struct conductor_list *ret);

/* A tunnel has come up: takes those out that leave, if a listed one is up. Returns whether the list
 * is another than before. */
bool conductor_choice_settle(struct conductor_list *kept, const int *up_by);
