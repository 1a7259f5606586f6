/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnels.h - conductord's side of its helper (tunnel_host): starts the helper or connects to the
 * one that systemd has started, hands clients over to it, and asks it for connections into the
 * tunnels. A helper that is lost is started, or connected to, again every second.
 *
 * Calling sequence: tunnels_start -> ready -> session, connect ... -> [lost -> ready ...] ->
 * tunnels_close. After ready has come again there is no session and no listener: conductord asks
 * for them again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/process.h"
#include "conductor/tunnels/tunnel_channel.h"

/*  IDLE ─▶ STARTING ──── TUNNEL_READY ────▶ READY
 *              ▲  └───────── broken ──────────┤
 *              │                              ▼
 *              └───── a second later ───── LOST          any ─▶ CLOSING
 */
enum tunnels_state {
	TUNNELS_IDLE,
	TUNNELS_STARTING,
	TUNNELS_READY,
	TUNNELS_LOST, /* channel and process are closed, or will be; then a second passes */
	TUNNELS_CLOSING,
};

struct tunnels;

struct tunnels_options {
	/* The helper's command line, run with its channel as descriptor 3; NULL = connect to
	 * socket, where systemd starts it. */
	const char *const *argv;
	const char *socket;
	struct ssh_kex_order kex_order; /* of all sessions */
	void (*ready)(void *owner, const struct host_keys *host_keys);
	void (*lost)(void *owner, const char *reason);
	/* A session, by its id: authenticated may come once; ended comes once, unless the helper
	 * is lost. */
	void (*authenticated)(void *owner, uint32_t id, const char *fingerprint, enum ssh_kex kex);
	void (*ended)(void *owner, uint32_t id);
	void *owner;
};

struct tunnels_request;
/* fd belongs to the owner (non-blocking, close-on-exec), or is a negative errno: -ECONNREFUSED,
 * nobody listens there; -ENOTCONN, there is no helper; -EMFILE, no descriptor is free; -EBADF,
 * what came is no such socket. */
typedef void (*tunnels_answered_cb)(struct tunnels_request *request, int fd);

/* Embedded in its owner. From tunnels_connect() until answered it must not be touched. */
struct tunnels_request {
	tunnels_answered_cb answered;
	uint32_t id;
	bool listens;
	struct tunnels_request *next;
};

struct tunnels {
	enum tunnels_state state;
	struct tunnels_options options;
	uv_loop_t *loop;
	uv_timer_t retry;
	uv_timer_t unanswerable; /* answers what there is no helper for, from the loop */
	struct tunnel_channel channel;
	bool channel_open;
	struct process helper;
	uint32_t last_request;
	struct tunnels_request *waiting;
	struct tunnels_request *refused;
	char said[PROCESS_SAID_SIZE];   /* the helper's last line */
	char reason[PROCESS_SAID_SIZE]; /* told of last; "" = all is well */
	unsigned open_timers;
	void (*closed)(struct tunnels *t);
};

/* If the helper cannot be started, lost says why. The options' strings are borrowed. */
void tunnels_start(struct tunnels *t, uv_loop_t *loop, const struct tunnels_options *options);
/* Requests that wait are answered with -ENOTCONN first. */
void tunnels_close(struct tunnels *t, void (*closed)(struct tunnels *t));

/* Is there a helper, and does it take its messages in time? */
bool tunnels_has_room(const struct tunnels *t);
/* Takes fd, a client from which nothing was read yet and which has so many seconds to
 * authenticate. id is chosen by the owner (port_mux's ticket). Errors: -ENOTCONN, there is no
 * helper now; -ENOMEM. fd is closed then. */
int tunnels_session(struct tunnels *t, uint32_t id, int fd, uint16_t seconds);
/* Ends the session, unless it has authenticated. */
void tunnels_end_session(struct tunnels *t, uint32_t id);
/* Ends all sessions of a key, within a second. Remove its line from authorized_keys before.
 * Error: -ENOMEM, the sessions go on. */
int tunnels_end_key(struct tunnels *t, const uint8_t blob[SSH_KEY_ED25519_SIZE]);

/* Connect to a router through its tunnel. */
void tunnels_connect(struct tunnels *t, struct tunnels_request *request, uint16_t port,
		     tunnels_answered_cb answered);
/* Listen, in the helper's network, on the port of the repository, to which the routers' tunnels
 * lead. */
void tunnels_listen(struct tunnels *t, struct tunnels_request *request, uint16_t port,
		    tunnels_answered_cb answered);
