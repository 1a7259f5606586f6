/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel.h - the router's tunnel to one conductor: runs and watches OpenSSH's client.
 *
 * `ssh -N` uses the exchanged key and the pinned host keys only. It forwards a port on the
 * conductor to the control socket that this router has for its conductors, and a local port to
 * the conductor's repository. A tunnel that is down is tried again for ever (backoff).
 *
 * If the network of this machine changes, the tunnel is looked at: see tunnel_look().
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

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/process.h"
#include "onboarding/router/backoff.h"
#include "onboarding/router/network_route.h"
#include "onboarding/router/tunnel_probe.h"
#include "onboarding/router/tunnel_ssh.h"
#include "onboarding/ssh_kex.h"

/*                             forwardings granted          ssh ended
 *  STOPPED ──▶ CONNECTING ─────────────────▶ CONNECTED ───────────────▶ WAITING
 *     │           ▲  └────── ssh ended, or could not be prepared ──────▶ │ ▲
 *     │           └── after 1, 2, 4 ... 60 s, or for another way there ──┘ │   any ──▶ CLOSING
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
	struct tunnel_probe probe;
	char address[INET6_ADDRSTRLEN]; /* that ssh connects to; "" = it knows none yet */
	struct network_route route;     /* that led there when it began */
	bool is_heard;                  /* something of the other end, in this try */
	uint64_t exchanges_ms; /* since when keys are exchanged, on the loop's clock; 0 = not */
	bool hurries;          /* the network has changed: the next try is at once */
	uint16_t local_port; /* on 127.0.0.1, in this try or the next; 0 = none could be had yet */
	char reason[PROCESS_SAID_SIZE];  /* ssh's last word in this try; "" = none yet */
	char problem[PROCESS_SAID_SIZE]; /* what ended the last one; "" = it is up, or not tried */
	enum ssh_kex kex;                /* what ssh has agreed on, while it is connected */
	char host_key[TUNNEL_SSH_FINGERPRINT_SIZE]; /* that the other end has shown in this try */
	int64_t since_s;      /* CLOCK_REALTIME: when it came up, or went down; 0 = never yet */
	bool was_down_before; /* since_s is of before this program's start */
	unsigned open;        /* parts that are not closed yet */
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

/* The conductor has other host keys: the next try goes by them, and is at once if it is waited for.
 * Borrowed until closed. */
void tunnel_set_host_keys(struct tunnel *t, const struct span *host_keys, size_t n);

/* The network of this machine has changed. Where the way to the conductor has, a tunnel that is up
 * is asked whether something comes through, and one that is not is tried at once. */
void tunnel_look(struct tunnel *t);

/* Ends ssh. The callbacks do not come any more. */
void tunnel_close(struct tunnel *t, void (*closed)(struct tunnel *t));

const char *tunnel_state_name(enum tunnel_state state);

/* When the next try is, on the clock of now_s; 0 = it is not waiting. */
int64_t tunnel_next_try_s(const struct tunnel *t, int64_t now_s);
