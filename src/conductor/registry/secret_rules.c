/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/secret_rules.h"

/*
 * A node that is being enrolled anew may come with the keys that it had: what is sealed to these
 * is not given up before it has told its keys.
 */
enum secret_state secret_state_of(const struct secret_facts *facts)
{
	if (facts->knows_keys && facts->is_sealed && facts->fits_keys)
		return SECRET_SET;
	if (facts->is_at_conductor || (!facts->knows_keys && facts->is_sealed))
		return SECRET_WAITING;
	return SECRET_LOST;
}

const char *secret_state_name(enum secret_state state)
{
	static const char *const names[] = {
		[SECRET_SET] = "set",
		[SECRET_WAITING] = "waiting",
		[SECRET_LOST] = "to be set again",
	};

	return names[state];
}

bool secret_copies_are_needed(const enum secret_state *states, size_t n_nodes)
{
	for (size_t i = 0; i < n_nodes; i++)
		if (states[i] != SECRET_SET)
			return true;
	return n_nodes == 0;
}
