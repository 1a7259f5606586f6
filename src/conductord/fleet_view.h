/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fleet_view.h - which rows of the fleet somebody wants to see, and in which order. Pure.
 *
 * A row is a router. Rows that are equal in what is sorted by are in the order of their names, by
 * bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "onboarding/mode.h"
#include "onboarding/token.h"

struct fleet_row {
	char name[TOKEN_NAME_SIZE];
	enum onboarding_mode mode;
	uint32_t n_nodes;
	uint32_t n_enrolled;  /* of them */
	uint32_t n_connected; /* that have a tunnel on this conductor */
};

/* How many of a router's nodes. A router without nodes has none of them. */
enum fleet_share { FLEET_ANY, FLEET_NONE, FLEET_SOME, FLEET_ALL };

enum fleet_order {
	FLEET_BY_NAME,
	FLEET_BY_MODE,
	FLEET_BY_NODES,
	FLEET_BY_ENROLLED,
	FLEET_BY_CONNECTED
};

struct fleet_view {
	char name[TOKEN_NAME_SIZE]; /* a part of it, in lower case; "" = any */
	bool asks_mode;
	enum onboarding_mode mode;
	enum fleet_share enrolled;
	enum fleet_share connected;
	enum fleet_order order;
	bool descending;
};

/* What an operator wrote, each NULL where nothing was: a part of a name, whatever its capitals; a
 * mode; any, none, some, all; name, mode, nodes, enrolled, connected, with a "-" before it for
 * descending. -EINVAL. */
struct fleet_words {
	const char *name;
	const char *mode;
	const char *enrolled;
	const char *connected;
	const char *sort;
};
int fleet_view_read(struct fleet_view *ret, const struct fleet_words *words, struct err *err);

/* Leaves the rows that are wanted, in their order. Returns how many. */
size_t fleet_view_apply(const struct fleet_view *view, struct fleet_row *rows, size_t n);
