/* tunnel_channel.h - what conductord and its helper `conductord --tunnels` say to each other, with
 * descriptors (SCM_RIGHTS), over a unix socket that keeps messages apart (SOCK_SEQPACKET).
 *
 * Both are the same program on the same machine: a message is the struct as it lies in memory. One
 * of another size, and what does not fit the queue, breaks the channel: its owner closes it then.
 *
 * Calling sequence: tunnel_channel_open -> send, received ... -> [broken] -> tunnel_channel_close.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "onboarding/conductor/authorized_keys.h"

enum tunnel_message_type {
	/* to the helper */
	TUNNEL_SESSION,     /* id, descriptor: run sshd on it */
	TUNNEL_END_SESSION, /* id */
	TUNNEL_END_KEY,     /* fingerprint: all sessions of this key */
	TUNNEL_CONNECT,     /* id, port: a connection to localhost in the helper's network */
	TUNNEL_LISTEN,      /* id, port: a listener there */
	/* from it */
	TUNNEL_READY,         /* host_key; the first message */
	TUNNEL_AUTHENTICATED, /* id of the session, fingerprint of its key */
	TUNNEL_ENDED,         /* id of the session */
	TUNNEL_REPLY,         /* id of connect or listen: descriptor, or code < 0 */
};

struct tunnel_message {
	enum tunnel_message_type type;
	uint32_t id;
	int32_t code; /* 0 or a negative errno */
	uint16_t port;
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	uint8_t host_key[SSH_KEY_ED25519_SIZE];
};

#define TUNNEL_CHANNEL_QUEUE 1024

struct tunnel_channel;
/* fd is -1, or the receiver's from now on. */
typedef void (*tunnel_received_cb)(struct tunnel_channel *channel, const struct tunnel_message *m,
				   int fd);
/* The other side is gone (-EPIPE), or it speaks otherwise. Comes once, from the loop; nothing is
 * sent or received after it. */
typedef void (*tunnel_broken_cb)(struct tunnel_channel *channel, int code);

struct tunnel_queued {
	struct tunnel_message message;
	int fd;
};

struct tunnel_channel {
	int fd;
	uv_poll_t poll;
	struct tunnel_queued *queue; /* a ring */
	unsigned first;
	unsigned n_queued;
	int code; /* < 0: broken */
	tunnel_received_cb received;
	tunnel_broken_cb broken;
	void (*closed)(struct tunnel_channel *channel);
};

/* Takes fd, also when it fails. Errors: -ENOMEM, those of epoll_ctl. */
int tunnel_channel_open(struct tunnel_channel *c, uv_loop_t *loop, int fd,
			tunnel_received_cb received, tunnel_broken_cb broken);

/* Takes fd (-1 = none). Never fails here: see broken. */
void tunnel_channel_send(struct tunnel_channel *c, const struct tunnel_message *message, int fd);

void tunnel_channel_close(struct tunnel_channel *c, void (*closed)(struct tunnel_channel *channel));
