/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_faults.h - a database that fails, or is the end of who asks it, at the n-th call.
 *
 * Enumerate them: the first, the second ... until to_go is left over. One registry at a time.
 */
#pragma once

#include "registry_world.h"

/* What is to happen; set after registry_faults_open(). */
struct registry_fault {
	unsigned to_go; /* calls up to the one it happens at; 0 = to none */
	int failure;    /* what that says; 0 = the process is killed */
	bool after;     /* once the call has been done */
	bool in_commit; /* whether it happened at one */
};
extern struct registry_fault registry_fault;

/* One more way into the same database, of conductor "c1"; registry_close() by the caller. */
struct registry *registry_faults_open(const struct registry_world *w);

/* In a child, killed at the n-th call of enrol(), which returns whether it has failed. true = it
 * was done before that came. Nobody may hold the registry meanwhile: the child has its own. */
bool registry_faults_die(const struct registry_world *w, unsigned n, bool after,
			 int (*enrol)(struct registry *r, void *owner), void *owner);
