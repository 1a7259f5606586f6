/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conductor.h - what makes a node a conductord: the registry of routers, onboarding on port 930,
 * and the tunnels.
 *
 * All connections between these parts are made here and in the routes.
 */
#pragma once

#include "base/jws.h"
#include "conductor/enrolment/enrolment_service.h"
#include "conductor/enrolment/known_routers.h"
#include "conductor/registry/registry.h"
#include "conductor/tunnels/login_keys.h"
#include "conductor/tunnels/tunnels.h"
#include "conductord/fetching.h"
#include "conductord/list_news.h"
#include "conductord/provisioning.h"
#include "conductord/registration.h"
#include "conductord/registry_watch.h"
#include "conductord/rollouts.h"
#include "conductord/router_call.h"
#include "conductord/summary_watch.h"
#include "conductord/tunnel_book.h"
#include "node/node.h"
#include "onboarding/sealing_keys.h"

#define REPOSITORY_PORT 8930 /* in the tunnels' network */

struct conductor {
	struct node node;
	struct config *config; /* as it was at the start: workers and port 930 use this one */
	struct registry *registry;
	struct sealing_keys own_keys;    /* to which waiting secrets are sealed */
	struct work_pool *registry_pool; /* one thread: a registry that hangs delays nothing else */
	struct registry_watch registry_watch;
	struct tunnels tunnels;
	bool has_tunnels;
	struct tunnel_book tunnel_book; /* those that stand */
	struct login_keys keys;
	bool has_keys;
	struct known_routers known;
	bool has_known;
	struct enrolment_service *enrolment;
	struct provisioning *provisioning;
	struct list_news list_news;
	struct router_calls calls;
	struct rollouts rollouts;
	struct fetching fetching;
	char *tunnels_directory; /* the directory of a helper that we start ourselves */
	char *keys_path;
	char *known_path;
	struct tunnels_request listening; /* for the repository's listener */
	struct http_server *repository;   /* in the tunnels' network; NULL = not there (yet) */
	struct registration registration;
	struct summary_watch summaries;
	bool was_started; /* start() was called, though it may have failed */
	unsigned closing; /* parts that the present step of the end has not closed yet */
	void (*next_step)(struct conductor *c);
	void (*closed)(void *owner);
	void *closed_owner;
};

extern const struct node_program conductor_program;

struct conductor *conductor_of(struct node *n);

/* See struct node_program. */
void conductor_stop(struct node *n);
void conductor_close(struct node *n, void (*closed)(void *owner), void *owner);

/* Uses the helper that systemd starts, if its socket exists; else starts one of our own, in our
 * state directory. -ENOENT: OpenSSH has none of the configured key exchanges; -ENOMEM. */
int conductor_start_tunnels(struct conductor *c, struct err *err);

/* What routers are told of conductors may have changed. */
void conductor_list_changed(struct conductor *c);

/* The keys that may log in may have changed. */
void conductor_keys_changed(struct conductor *c);
