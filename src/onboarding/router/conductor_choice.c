/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/conductor_choice.h"

#include <string.h>

/* Its place in the list; list->n = it has none. */
static size_t find_way(const struct conductor_list *list, const struct message_conductor *c)
{
	size_t i = 0;

	while (i < list->n && !conductor_is_same_way(&list->each[i].at, c))
		i++;
	return i;
}

static bool is_same(const struct known_conductor *a, const struct known_conductor *b)
{
	return !a->leaves && strcmp(a->name, b->name) == 0 &&
	       conductor_is_same_way(&a->at, &b->at) && conductor_has_same_keys(&a->at, &b->at);
}

/* In another order it says the same. */
static bool says_the_same(const struct conductor_list *kept, const struct conductor_list *heard)
{
	size_t listed = 0;

	for (size_t i = 0; i < kept->n; i++)
		listed += !kept->each[i].leaves;
	for (size_t i = 0; i < heard->n; i++) {
		const size_t at = find_way(kept, &heard->each[i].at);

		if (at == kept->n || !is_same(&kept->each[at], &heard->each[i]))
			return false;
	}
	return listed == heard->n;
}

/* Is there a tunnel to one of the new list, built by a key that the new list has too? A tunnel to
 * who has shown another key is no way: the list may have been made because of it. */
static bool reaches_listed(const struct conductor_list *kept, const int *up_by,
			   const struct conductor_list *heard)
{
	for (size_t i = 0; i < heard->n; i++) {
		const struct message_conductor *c = &heard->each[i].at;
		const size_t at = find_way(kept, c);

		if (at < kept->n && up_by[at] != CONDUCTOR_IS_DOWN &&
		    conductor_has_key(c, &kept->each[at].at.ssh_host_keys[up_by[at]]))
			return true;
	}
	return false;
}

/* Those that are up come first: the others have to go where there is no room. */
static void keep_unlisted(const struct conductor_list *kept, const int *up_by, bool is_up,
			  struct conductor_list *list, size_t n_listed)
{
	for (size_t i = 0; i < kept->n && list->n < KNOWN_CONDUCTORS_MAX; i++) {
		size_t k = 0;

		while (k < n_listed && !conductor_is_same_way(&list->each[k].at, &kept->each[i].at))
			k++;
		if (k < n_listed || (up_by[i] != CONDUCTOR_IS_DOWN) != is_up)
			continue;
		list->each[list->n] = kept->each[i];
		list->each[list->n++].leaves = true;
	}
}

static void keep_notes(const struct conductor_list *kept, struct conductor_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const size_t at = find_way(kept, &list->each[i].at);

		list->each[i].unreachable_since_s =
			at < kept->n ? kept->each[at].unreachable_since_s : 0;
	}
}

enum conductor_choice conductor_choose(const struct conductor_list *kept, const int *up_by,
				       const struct conductor_list *heard,
				       struct conductor_list *ret)
{
	if (heard->version < kept->version ||
	    (heard->version == kept->version && says_the_same(kept, heard)))
		return CONDUCTORS_STAY;
	*ret = *heard;
	keep_notes(kept, ret);
	if (reaches_listed(kept, up_by, heard))
		return CONDUCTORS_CHANGE;
	keep_unlisted(kept, up_by, true, ret, heard->n);
	keep_unlisted(kept, up_by, false, ret, heard->n);
	return CONDUCTORS_CHANGE;
}

bool conductor_choice_settle(struct conductor_list *kept, const int *up_by)
{
	bool reaches = false;
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++)
		reaches |= !kept->each[i].leaves && up_by[i] != CONDUCTOR_IS_DOWN;
	for (size_t i = 0; i < kept->n && reaches; i++)
		if (!kept->each[i].leaves)
			kept->each[n++] = kept->each[i];
	if (!reaches || n == kept->n)
		return false;
	kept->n = n;
	return true;
}
