/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel.h - the router's tunnel to one conductor: runs and watches OpenSSH's client.
 *
 * `ssh -N` uses the exchanged key and the pinned host keys only. It forwards a port on the
 * conductor to the control socket that this router has for its conductors, and a local port to
 * the conductor's repository. A tunnel that is down is tried again for ever (backoff).
 *
 * The local port stays the same unless another program takes it; ask for it when the tunnel is
 * connected.
 *
 * The tunnel counts as connected when sshd has granted the port and the local port is taken, so
 * that both directions work; not when ssh has only started. Its problem is told when it changes,
 * and can be asked for.
 *
 * Calling sequence: tunnel_init -> tunnel_start -> connected -> disconnected -> ... ->
 * tunnel_close.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/process.h"
#include "base/span.h"
#include "onboarding/router/backoff.h"
#include "onboarding/ssh_kex.h"

struct tunnel_options {
	const char *ssh;  /* the program */
	const char *host; /* of the conductor: a name or an address */
	uint16_t port;
	const char *user;             /* on the conductor */
	const char *key;              /* file of our private key */
	const char *known_hosts;      /* file of this tunnel alone: written where it is another */
	const struct span *host_keys; /* blobs */
	size_t n_host_keys;
	const char *kex;          /* ssh_kex_algorithms(); "" = there is none: */
	const char *kex_problem;  /* why; NULL with the others */
	uint16_t listen_port;     /* on the conductor, for this router alone */
	const char *socket;       /* where it leads to: a unix socket, absolute */
	uint16_t local_port;      /* on 127.0.0.1, where it is free; 0 = any */
	uint16_t repository_port; /* where it leads to, on the conductor */
};

/*                             forwardings granted          ssh ended
 *  STOPPED ──▶ CONNECTING ─────────────────▶ CONNECTED ───────────────▶ WAITING
 *     │           ▲  └────── ssh ended, or could not be prepared ──────▶ │ ▲
 *     │           └────────────── after 1, 2, 4 ... 60 s ────────────────┘ │   any ──▶ CLOSING
 *     └────────────────── could not be prepared just now ──────────────────┘
 */
enum tunnel_state {
	TUNNEL_STOPPED,
	TUNNEL_CONNECTING,
	TUNNEL_CONNECTED,
	TUNNEL_WAITING,
	TUNNEL_CLOSING,
};

struct tunnel;
struct tunnel_callbacks {
	void (*connected)(struct tunnel *t);
	/* reason: the last line that ssh said. Called when a connected tunnel ends, at the first
	 * failure of a tunnel that was never connected, and when the reason changes; not for each
	 * failure. */
	void (*disconnected)(struct tunnel *t, const char *reason);
};

struct tunnel {
	enum tunnel_state state;
	struct tunnel_options options;
	struct tunnel_callbacks callbacks;
	uv_loop_t *loop;
	struct process ssh;
	uv_timer_t timer; /* of connecting, of a session that lasts, or of waiting */
	struct backoff backoff;
	uint16_t local_port; /* on 127.0.0.1, in this try or the next; 0 = none could be had yet */
	char reason[PROCESS_SAID_SIZE];  /* ssh's last word in this try; "" = none yet */
	char problem[PROCESS_SAID_SIZE]; /* what ended the last one; "" = it is up, or not tried */
	enum ssh_kex kex;                /* what ssh has agreed on, while it is connected */
	int64_t since_s; /* CLOCK_REALTIME: when it came up, or went down; 0 = never yet */
	void (*closed)(struct tunnel *t);
};

/* The strings and keys of options are borrowed until closed. */
void tunnel_init(struct tunnel *t, uv_loop_t *loop, const struct tunnel_options *options,
		 const struct tunnel_callbacks *callbacks);

/* Pin the host keys, choose a port, and try from now on; what could not be done now is done at
 * the next try. -EINVAL: a host or a key that cannot be in known_hosts, no key at all, or a path
 * that ssh would misread, no key exchange. Then the tunnel stays STOPPED, since no try would help.
 */
int tunnel_start(struct tunnel *t, struct err *err);

/* Ends ssh. The callbacks do not come any more. */
void tunnel_close(struct tunnel *t, void (*closed)(struct tunnel *t));

const char *tunnel_state_name(enum tunnel_state state);

/* When the next try is, on the clock of now_s; 0 = it is not waiting. */
int64_t tunnel_next_try_s(const struct tunnel *t, int64_t now_s);
