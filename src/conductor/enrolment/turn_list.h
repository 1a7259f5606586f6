/* SPDX-License-Identifier: GPL-3.0-or-later */
/* turn_list.h - lists of places, which are named by their number in one table: nobody is looked
 * for to be taken out.
 */
#pragma once

#include <stdint.h>

#define TURN_NOWHERE UINT32_MAX /* the number of no place */

/* One for each place; the place is in one list at a time. */
struct turn_link {
	uint32_t before; /* TURN_NOWHERE = it is the first */
	uint32_t after;  /* TURN_NOWHERE = it is the last */
};

struct turn_list {
	uint32_t first;
	uint32_t last;
	uint32_t n;
};

#define TURN_LIST_EMPTY                                                                            \
	{                                                                                          \
		.first = TURN_NOWHERE, .last = TURN_NOWHERE                                        \
	}

void turn_list_append(struct turn_list *list, struct turn_link *links, uint32_t at);
void turn_list_take_out(struct turn_list *list, struct turn_link *links, uint32_t at);
