/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_patience.h - how long a call of the registry may take, and what ends it earlier.
 *
 * A database that hangs answers neither yes nor no. So every wait for a database is made here,
 * with a deadline of our own, and ends early when registry_stop() gives up all calls.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct registry_patience {
	uint64_t began_ms; /* both of registry_now_ms() */
	uint64_t until_ms;
	int wake;      /* an eventfd: readable once it is given up */
	bool given_up; /* by any thread */
};

/* Milliseconds of a clock that never goes back. */
uint64_t registry_now_ms(void);

int registry_patience_init(struct registry_patience *p, struct err *err);
void registry_patience_release(struct registry_patience *p);

/* A call begins. */
void registry_patience_begin(struct registry_patience *p, uint64_t ms);
/* How long the call may still wait; 0 = its time is over: call registry_patience_lost(), which
 * says why. */
int registry_patience_left_ms(const struct registry_patience *p);
/* -ETIMEDOUT or -ECANCELED. who: the database. */
int registry_patience_lost(const struct registry_patience *p, const char *who, struct err *err);

/* Wait until fd (-1 = none) is ready for events of poll(), or for ms at most. 1 = ready, 0 = not
 * within that time, or it is over. */
int registry_patience_wait(const struct registry_patience *p, int fd, short events, int ms);

/* From any thread, and for good: all waits end, and new ones end at once. */
void registry_patience_give_up(struct registry_patience *p);
bool registry_patience_is_given_up(const struct registry_patience *p);
