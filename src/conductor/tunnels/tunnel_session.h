/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_session.h - the helper's sessions: it runs `sshd -i` on each socket that it was given.
 * So sshd sees the client's address, and no byte passes through us.
 *
 * A session that authenticates ends the older sessions of its key: the router has come back, and
 * they would occupy its port until sshd notices that they are dead.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "conductor/tunnels/authorized_keys.h"
#include "onboarding/ssh_kex.h"

struct tunnel_session;

struct tunnel_sessions {
	uv_loop_t *loop;
	const char *sshd;   /* its path, absolute as sshd wants it */
	const char *config; /* see sshd_config */
	const char *user;
	ssh_kex_names kex_names; /* of the installed OpenSSH */
	/* kex: SSH_KEX_NONE = sshd has not told. */
	void (*authenticated)(struct tunnel_sessions *all, uint32_t id, const char *fingerprint,
			      enum ssh_kex kex);
	void (*ended)(struct tunnel_sessions *all, uint32_t id, bool was_authenticated);
	struct tunnel_session *first;
};

/* Takes fd. The session must authenticate within so many seconds; order: of its key exchanges.
 * ended comes also if there is no sshd, and, at once, if there is no memory. */
void tunnel_session_start(struct tunnel_sessions *all, uint32_t id, int fd, uint16_t seconds,
			  const struct ssh_kex_order *order);

/* Ends sessions with all their processes, within half a second. By its id only a session that has
 * not authenticated is ended: ids are used again, and it may be another session by then. */
void tunnel_session_end(struct tunnel_sessions *all, uint32_t id);
void tunnel_session_end_key(struct tunnel_sessions *all, const char *fingerprint);
void tunnel_session_end_all(struct tunnel_sessions *all);

/* The key exchange in sshd's message about it; SSH_KEX_NONE = it is about something else. */
enum ssh_kex tunnel_session_read_kex(const char *message);

/* The key in sshd's message about an authentication of user; NULL = it is about something else. */
const char *tunnel_session_read_key(const char *message, const char *user,
				    char ret[AUTHORIZED_KEY_FINGERPRINT_SIZE]);

/* Does sshd say that it has found no line for a key? Every stranger can make it say so. */
bool tunnel_session_is_unknown_key(const char *message);
