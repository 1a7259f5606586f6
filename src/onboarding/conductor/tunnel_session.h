/* tunnel_session.h - the sessions of a helper: `sshd -i` on each socket that it was given, so that
 * sshd sees who the client is, and no byte passes through us.
 *
 * A session that authenticates ends the older ones of its key: its router has come back, and they
 * hold its port until sshd misses them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "onboarding/conductor/authorized_keys.h"

struct tunnel_session;

struct tunnel_sessions {
	uv_loop_t *loop;
	const char *sshd;   /* its path, absolute as sshd wants it */
	const char *config; /* see sshd_config */
	const char *user;
	void (*authenticated)(struct tunnel_sessions *all, uint32_t id, const char *fingerprint);
	void (*ended)(struct tunnel_sessions *all, uint32_t id, bool was_authenticated);
	struct tunnel_session *first;
};

/* Takes fd. It is to authenticate in so many seconds. ended comes also when there is no sshd, and,
 * at once, without memory. */
void tunnel_session_start(struct tunnel_sessions *all, uint32_t id, int fd, uint16_t seconds);

/* Each with all its processes, within half a second. By its id only one that has not authenticated:
 * ids are given again, and it may be another's by then. */
void tunnel_session_end(struct tunnel_sessions *all, uint32_t id);
void tunnel_session_end_key(struct tunnel_sessions *all, const char *fingerprint);
void tunnel_session_end_all(struct tunnel_sessions *all);

/* The key in sshd's message about an authentication of user; NULL = it is about something else. */
const char *tunnel_session_read_key(const char *message, const char *user,
				    char ret[AUTHORIZED_KEY_FINGERPRINT_SIZE]);
