/* SPDX-License-Identifier: GPL-3.0-or-later */
/* router_due.h - what a node of a router is to be sent, as the registry has it: whether it is to be
 * initialized, its configuration with the secrets sealed to it, or first the question which keys it
 * has. Asks the registry: on a worker.
 *
 * A node is asked for its keys as long as the registry has none for its present enrolment, and, if
 * there are secrets, once in each visit, since it may have got more.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "conductor/registry/registry_enrolment.h"
#include "onboarding/sealing_keys.h"

struct router_due_question {
	struct registry *registry;
	const struct sealing_keys *own_keys;
	const struct registry_enrolment *who;
	bool has_asked;   /* the node, for its keys, in this visit */
	bool has_no_keys; /* it said so: it is older than sealed secrets */
};

struct router_due {
	char *body;       /* freed by the caller; NULL = nothing is to be sent */
	bool asks_keys;   /* first */
	bool initializes; /* else configures */
	bool waits;       /* for another conductor: ask again */
};

/* -ENOKEY: it cannot be sent before an operator has done what the message says; -ENOENT: the
 * enrolment has ended; else the registry's. */
int router_due_find(const struct router_due_question *question, struct router_due *ret,
		    struct err *err);

/* answer: of GET /v1/sealing-keys. -EBADMSG: none that is understood; else errors of
 * registry_secrets_put_node(). */
int router_due_take_keys(const struct router_due_question *question, const char *answer,
			 struct err *err);
