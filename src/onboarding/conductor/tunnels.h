/* tunnels.h - conductord's side of its helper (tunnel_host): starts it, or finds systemd's; hands
 * clients over; asks for connections into the tunnels. A helper that is lost is started, or looked
 * for, again every second.
 *
 * Calling sequence: tunnels_start -> ready -> session, connect ... -> [lost -> ready ...] ->
 * tunnels_close. After ready anew, there is no session, and no listener: conductord asks again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/process.h"
#include "onboarding/conductor/tunnel_channel.h"

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
	void (*ready)(void *owner, const uint8_t host_key[SSH_KEY_ED25519_SIZE]);
	void (*lost)(void *owner, const char *reason);
	/* A session by its id: the first may come once, the second comes once unless the helper is
	 * lost. */
	void (*authenticated)(void *owner, uint32_t id, const char *fingerprint);
	void (*ended)(void *owner, uint32_t id);
	void *owner;
};

struct tunnels_request;
/* fd is the owner's (non-blocking, close-on-exec), or a negative errno: -ECONNREFUSED, nobody
 * listens there; -ENOTCONN, there is no helper; -EMFILE, we have no descriptor free; -EBADF, what
 * came is no such socket. */
typedef void (*tunnels_answered_cb)(struct tunnels_request *request, int fd);

/* Embedded in its owner; its own from tunnels_connect() until answered. */
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

/* What keeps the helper from starting is told by lost. The options' strings are borrowed. */
void tunnels_start(struct tunnels *t, uv_loop_t *loop, const struct tunnels_options *options);
/* What waits is answered with -ENOTCONN first. */
void tunnels_close(struct tunnels *t, void (*closed)(struct tunnels *t));

/* Is there a helper that keeps up? */
bool tunnels_has_room(const struct tunnels *t);
/* Takes fd, a client of whom nothing is read yet, who has so many seconds to authenticate; id is
 * its owner's (port_mux's ticket). Errors: -ENOTCONN, there is no helper now; -ENOMEM. fd is closed
 * then.
 */
int tunnels_session(struct tunnels *t, uint32_t id, int fd, uint16_t seconds);
/* Unless it has authenticated. */
void tunnels_end_session(struct tunnels *t, uint32_t id);
/* All sessions of a key, within a second. Its line in authorized_keys must be gone before. Error:
 * -ENOMEM, they go on. */
int tunnels_end_key(struct tunnels *t, const uint8_t blob[SSH_KEY_ED25519_SIZE]);

/* Into a router's tunnel. */
void tunnels_connect(struct tunnels *t, struct tunnels_request *request, uint16_t port,
		     tunnels_answered_cb answered);
/* Where the routers' tunnels lead to: the repository's. */
void tunnels_listen(struct tunnels *t, struct tunnels_request *request, uint16_t port,
		    tunnels_answered_cb answered);
