/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_message.h - the messages between conductord and its helper `conductord --tunnels`.
 *
 * Both are the same program on the same machine: a message is the struct as it is in memory. But
 * strangers speak to programs that the helper runs. So conductord checks each message before it
 * uses it, and the helper refuses what conductord would not send.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "conductor/tunnels/authorized_keys.h"
#include "conductor/tunnels/host_key.h"
#include "onboarding/ssh_kex.h"

enum tunnel_message_type {
	/* to the helper */
	TUNNEL_SESSION, /* id, descriptor, seconds to authenticate in, kex_order: run sshd on it */
	TUNNEL_END_SESSION, /* id */
	TUNNEL_END_KEY,     /* fingerprint: all sessions of this key */
	TUNNEL_CONNECT,     /* id, port: a connection to localhost in the helper's network */
	TUNNEL_LISTEN,      /* id, port: a listener there */
	/* from it */
	TUNNEL_READY,         /* host_keys; the first message */
	TUNNEL_AUTHENTICATED, /* id of the session, fingerprint of its key, kex it agreed on */
	TUNNEL_ENDED,         /* id of the session */
	TUNNEL_REPLY,         /* id of connect or listen: descriptor, or code < 0 */
};

struct tunnel_message {
	enum tunnel_message_type type;
	uint32_t id;
	int32_t code; /* 0 or a negative errno */
	uint16_t port;
	uint16_t seconds;
	struct ssh_kex_order kex_order;
	uint8_t kex; /* enum ssh_kex */
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	struct host_keys host_keys;
};

/* Is this a message for this direction, with all that belongs to it? Whether its descriptor has
 * come is not checked: it is lost if the receiver had no room for one. */
bool tunnel_message_is_to_helper(const struct tunnel_message *message);
bool tunnel_message_is_from_helper(const struct tunnel_message *message);

/* Is the descriptor that came with a reply what was asked for: a TCP socket, connected or
 * listening? Makes it non-blocking. Returns 0, or -EBADF: it is something else. */
int tunnel_message_check_connection(int fd);
int tunnel_message_check_listener(int fd);
