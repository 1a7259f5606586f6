/* SPDX-License-Identifier: GPL-3.0-or-later */
/* known_routers.h - stores the addresses from which routers logged in lately, so that they come
 * before strangers also after a restart, when all tunnels come back at once.
 *
 * They are in a file of their own beside sshd's keys. It is no secret, and nothing depends on it.
 * If it cannot be read, it starts empty; if it cannot be written, that is tried again with the
 * next new address.
 *
 * Calling sequence: known_routers_init -> known_routers_news ... -> known_routers_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "base/work.h"
#include "conductor/enrolment/known_addresses.h"

#define KNOWN_ROUTERS_SAVE_MS 3000 /* after the first new address, for all others too */

struct known_routers {
	struct known_addresses *addresses;
	const char *path; /* borrowed */
	uv_loop_t *loop;
	uv_timer_t timer;
	struct work work;
	char *text; /* the worker's while it writes */
	bool writing;
	bool has_news;
	bool closing;
	struct err err;
	void (*closed)(void *owner);
	void *owner;
};

/* Error: -ENOMEM, and then there is nothing to close. */
int known_routers_init(struct known_routers *k, uv_loop_t *loop, const char *path, struct err *err);

/* addresses has changed. */
void known_routers_news(struct known_routers *k);

/* Writes first what is not written yet. */
void known_routers_close(struct known_routers *k, void (*closed)(void *owner), void *owner);
