/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_set.h - the router's tunnels: one to each conductor that it knows.
 *
 * Calling sequence: tunnel_set_init -> tunnel_set_start -> tunnel_set_change ... ->
 * tunnel_set_close.
 */
#pragma once

#include <cjson/cJSON.h>
#include <limits.h>

#include "onboarding/conductor_list.h"
#include "onboarding/router/tunnel.h"

/* Strings are borrowed until closed. */
struct tunnel_set_options {
	uv_loop_t *loop;
	const char *kex;                /* see tunnel_options */
	const char *kex_problem;        /* likewise */
	const char *key_file;           /* of our private key */
	const char *socket;             /* where the tunnels lead to */
	const char *directory;          /* for known_hosts */
	void (*connected)(void *owner); /* a tunnel: its port may be another than it was */
	void (*changed)(void *owner);   /* a tunnel is down */
	void *owner;
};

enum link_state {
	LINK_NONE,
	LINK_OPEN,
	LINK_CLOSING, /* then another takes its place, where one is wanted */
};

struct link {
	enum link_state state;
	struct tunnel_set *set;
	struct message_conductor conductor;
	struct tunnel tunnel;
	char known_hosts[PATH_MAX];
	struct span host_keys[MESSAGE_HOST_KEYS_MAX];
};

struct tunnel_set {
	struct tunnel_set_options options;
	struct link each[KNOWN_CONDUCTORS_MAX];
	struct message_conductor wanted[KNOWN_CONDUCTORS_MAX];
	int64_t down_since_s[KNOWN_CONDUCTORS_MAX]; /* of those that are wanted, as it was noted */
	size_t n_wanted;
	void (*closed)(void *owner); /* NULL = not closing */
	void *owner;
};

void tunnel_set_init(struct tunnel_set *set, const struct tunnel_set_options *options);

/* Build a tunnel to each of these conductors, once the tunnels of before have ended: also to those
 * to which one leads already, since the router is enrolled anew. list is copied. */
void tunnel_set_start(struct tunnel_set *set, const struct conductor_list *list);

/* These are the conductors now: a tunnel that leads to one of them stays. It goes if the conductor
 * has shown a key that it has no more, and another tunnel stands. */
void tunnel_set_change(struct tunnel_set *set, const struct conductor_list *list);

/* The network of this machine has changed. */
void tunnel_set_look(struct tunnel_set *set);

/* Which of its keys conductor i has shown, at the other end of the tunnel that stands;
 * CONDUCTOR_IS_DOWN = none stands. */
int tunnel_set_up_by(const struct tunnel_set *set, size_t i);
/* Since when conductor i cannot be reached; 0 = it is, or that is not known yet. */
int64_t tunnel_set_down_since_s(const struct tunnel_set *set, size_t i);
/* Is there no tunnel to conductor i, although it was tried? */
bool tunnel_set_has_failed(const struct tunnel_set *set, size_t i);
/* The local port that leads to the repository of conductor i; 0 = there is none. */
uint16_t tunnel_set_repository_port(const struct tunnel_set *set, size_t i);
/* Adds to item: "tunnel": "none" or the tunnel's state; "since": when it came up or went down;
 * "problem": what keeps it down; "next-try". Times are seconds since 1970, null where there is
 * none. */
void tunnel_set_describe(const struct tunnel_set *set, size_t i, cJSON *item);

/* closed may come at once. The other callbacks do not come any more. */
void tunnel_set_close(struct tunnel_set *set, void (*closed)(void *owner), void *owner);
