/* SPDX-License-Identifier: GPL-3.0-or-later */
/* secret_rules.h - where a secret of a router's configuration stands, at each of its nodes. Pure.
 *
 * A secret is sealed to each node's own keys. Until a node has told its keys the secret waits,
 * sealed to each conductor, one of which seals it to the node then. Once each node has it, no
 * conductor has a copy any more: so a node that comes with other keys, or is added, cannot be given
 * it, and the operator sets it again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum secret_state {
	SECRET_SET,     /* sealed to the node */
	SECRET_WAITING, /* for the node, or for a conductor that has a copy */
	SECRET_LOST,    /* nobody can give it to the node: to be set again */
};

/* What is known of a secret and a node. */
struct secret_facts {
	bool knows_keys;      /* the node's, of its present enrolment */
	bool is_sealed;       /* there is a value sealed to the node */
	bool fits_keys;       /* and it is sealed to keys that the node has now */
	bool is_at_conductor; /* some conductor has a copy */
};

enum secret_state secret_state_of(const struct secret_facts *facts);

/* "set", "waiting", "to be set again" */
const char *secret_state_name(enum secret_state state);

/* Must conductors have copies of a secret that stands so at the router's nodes? */
bool secret_copies_are_needed(const enum secret_state *states, size_t n_nodes);
