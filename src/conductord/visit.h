/* SPDX-License-Identifier: GPL-3.0-or-later */
/* visit.h - one visit of a conductor to a node of a router: what is due to it is found in the
 * registry, and sent through its tunnel.
 *
 * It is told first which conductors there are: whatever else it cannot take, it has to find them.
 *
 * A node that is not ready is called again (visit_rules). If the registry cannot be asked, or
 * another conductor has claimed the initialization, or has to give a secret first, the visit waits.
 *
 * Calling sequence: visit_begin -> visit_go_on ... -> ended; visit_stop, if it is to end sooner.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/work.h"
#include "conductor/registry/registry_enrolment.h"
#include "conductor/tunnels/authorized_keys.h"
#include "conductord/router_due.h"

struct login_keys;
struct router_calls;
struct work_pool;

/* The conductor's. */
struct visit_parts {
	uv_loop_t *loop;
	struct work_pool *pool; /* that asks the registry */
	struct registry *registry;
	const struct sealing_keys *own_keys;
	struct login_keys *keys; /* say whose key it is */
	struct router_calls *calls;
	uint16_t repository_port; /* in the tunnels */
};

struct visit {
	struct visit_parts parts;
	struct visit *next; /* its owner's */
	bool closing;
	void (*ended)(struct visit *visit, void *owner);
	void *owner;
	/* Whom to call: a key at first, and the node once it is found. */
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE]; /* "" = it began with the node */
	char router[TOKEN_NAME_SIZE];                      /* "" = not found yet */
	char node[TOKEN_NAME_SIZE];
	struct registry_enrolment who; /* its enrolment, as the registry had it last */
	struct router_due due;
	char *taken;      /* the configuration that it took last in this visit; NULL = none */
	char *conductors; /* the list that it is to be told; NULL = none, or it has it */
	uint64_t conductors_version;
	uint64_t told_version; /* that it has taken in this visit, or does not understand */
	bool is_twice;         /* two machines seem to have its key; until that is told */
	bool has_asked_keys;
	bool has_no_keys;
	char *keys;        /* as it told them; until they are kept */
	unsigned tries;    /* how often the registry was asked in vain */
	unsigned calls;    /* calls to the router that were in vain */
	char problem[512]; /* the last problem of this router that was logged */
	work_cb asks; /* the question to the registry that the worker asks, or will ask again */
	uv_timer_t timer;
	struct work work;
	struct err err;
};

/* Who: by fingerprint, or where that is "" by its names. ended: it is over; the visit is freed
 * after that. Does not come inside. NULL = out of memory. */
struct visit *visit_begin(const struct visit_parts *parts, const char *fingerprint,
			  const char *router, const char *node,
			  void (*ended)(struct visit *visit, void *owner), void *owner);

/* Does it wait, and will it then ask the registry for what is due to this node? */
bool visit_waits_for(const struct visit *visit, const char *fingerprint, const char *router,
		     const char *node);
/* It need not wait any longer. */
void visit_go_on(struct visit *visit);

/* It ends as soon as nothing of it runs. */
void visit_stop(struct visit *visit);
