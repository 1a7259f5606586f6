/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_ssh.h - how a tunnel's ssh is called, and what its lines mean. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process.h"
#include "base/span.h"

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
	int64_t down_since_s;     /* it was down before, too: since then; 0 = it was not */
};

/* -EINVAL: a path that ssh would misread, or no key exchange. */
int tunnel_ssh_check(const struct tunnel_options *o, struct err *err);

/* See process_start(). What known_hosts is to have is in it already. */
void tunnel_ssh_start(struct process *ssh, uv_loop_t *loop, const struct tunnel_options *o,
		      uint16_t local_port, process_said_cb said, process_exited_cb exited);

/* "-v" makes it say how far it is. */
enum tunnel_ssh_line {
	TUNNEL_SSH_REASON, /* why it will end */
	TUNNEL_SSH_CHATTER,
	TUNNEL_SSH_CONNECTS, /* to an address: one line for each that it tries */
	TUNNEL_SSH_HEARD,    /* the other end has said something: now they exchange keys */
	TUNNEL_SSH_AGREED,   /* they have */
	TUNNEL_SSH_GRANTED,  /* both ports are forwarded */
};

#define TUNNEL_SSH_FINGERPRINT_SIZE 44 /* SHA-256, base64 without padding, and a zero */

/* Is it the line that says which host key the other end has shown? ret: its fingerprint, as it
 * stands after "SHA256:". */
bool tunnel_ssh_tells_host_key(const char *line, char ret[static TUNNEL_SSH_FINGERPRINT_SIZE]);

/* ret: with CONNECTS the address, as text. */
enum tunnel_ssh_line tunnel_ssh_judge(const char *line, char ret[static INET6_ADDRSTRLEN]);
