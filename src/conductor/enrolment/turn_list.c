/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/turn_list.h"

void turn_list_append(struct turn_list *list, struct turn_link *links, uint32_t at)
{
	links[at] = (struct turn_link){.before = list->last, .after = TURN_NOWHERE};
	if (list->last == TURN_NOWHERE)
		list->first = at;
	else
		links[list->last].after = at;
	list->last = at;
	list->n++;
}

void turn_list_take_out(struct turn_list *list, struct turn_link *links, uint32_t at)
{
	const struct turn_link *link = &links[at];

	if (link->before == TURN_NOWHERE)
		list->first = link->after;
	else
		links[link->before].after = link->after;
	if (link->after == TURN_NOWHERE)
		list->last = link->before;
	else
		links[link->after].before = link->before;
	list->n--;
}
