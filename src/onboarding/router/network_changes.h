/* SPDX-License-Identifier: GPL-3.0-or-later */
/* network_changes.h - tells when an address or a route of this machine has changed (rtnetlink(7)).
 *
 * A change seldom comes alone: those of half a second are told as one, and one second passes
 * between two that are told. A router may have many routes that come and go: who is told asks
 * whether its own way has changed (network_route).
 *
 * Calling sequence: network_changes_start -> changed ... -> network_changes_close.
 */
#pragma once

#include <uv.h>

#include "base/err.h"

struct network_changes {
	int fd; /* negative: it could not be started */
	uv_poll_t poll;
	uv_timer_t timer;
	uint64_t told_ms; /* on the loop's clock */
	unsigned open;    /* handles */
	void (*changed)(void *owner);
	void (*closed)(void *owner);
	void *owner;
};

/* On an error nothing will be told; it is to be closed all the same. */
int network_changes_start(struct network_changes *n, uv_loop_t *loop, void (*changed)(void *owner),
			  void *owner, struct err *err);

/* closed does not come inside. */
void network_changes_close(struct network_changes *n, void (*closed)(void *owner));
