/* SPDX-License-Identifier: GPL-3.0-or-later */
/* visit_private.h - for visit*.c alone: the steps of a visit that several files take. */
#pragma once

#include "conductord/router_call.h"
#include "conductord/visit.h"

void visit_end(struct visit *visit);
/* The router is not ready: call it again later. */
void visit_call_again(struct visit *visit, const struct router_answer *answer);
void visit_tell_answer(struct visit *visit, const struct router_answer *answer);
/* Go on by what the registry has said. */
void visit_proceed(struct visit *visit);

/* visit_ask.c: questions to the registry, on a worker; visit->err says how they ended. */

/* Which node it is, and what is due to it. -ENOENT: nobody is enrolled so; -ENOKEY: see
 * router_due_find(). */
void visit_run_find_due(struct work *work);
/* Keep the keys that it has told. -EBADMSG: they are none. */
void visit_run_keep_keys(struct work *work);
void visit_run_tell_initialized(struct work *work);

/* visit_conductors.c: the node is told which conductors there are. */

/* On a worker. Errors are the registry's. */
int visit_find_conductors(struct visit *visit, struct err *err);
void visit_forget_conductors(struct visit *visit);
bool visit_has_conductors_to_tell(const struct visit *visit);
/* Then visit_proceed(). */
void visit_tell_conductors(struct visit *visit);
