/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_channel.h - carries the messages between conductord and its helper (tunnel_message),
 * with descriptors (SCM_RIGHTS), over a unix socket that keeps messages apart (SOCK_SEQPACKET).
 *
 * Messages that the other side does not take yet wait here, in order, without a limit: a session
 * that stands must never be lost for a new one. A sender that can wait asks
 * tunnel_channel_has_room() first; the number of all other messages is limited by what they are
 * about (sessions, requests). A message of the wrong size breaks the channel; its owner then
 * closes it. If the kernel is short of memory, or has too many descriptors in transit, the
 * message is sent later.
 *
 * Calling sequence: tunnel_channel_open -> send, received ... -> [broken] ->
 * tunnel_channel_close.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "conductor/tunnels/tunnel_message.h"

struct tunnel_channel;
/* fd is -1, or belongs to the receiver. It is also -1 if there was no free descriptor for it. */
typedef void (*tunnel_received_cb)(struct tunnel_channel *channel, const struct tunnel_message *m,
				   int fd);
/* The other side is gone (-EPIPE), or sent something malformed. Called once, from the loop;
 * nothing is sent or received after it. */
typedef void (*tunnel_broken_cb)(struct tunnel_channel *channel, int code);

struct tunnel_queued {
	struct tunnel_message message;
	int fd;
};

struct tunnel_channel {
	int fd;
	uv_poll_t poll;
	uv_timer_t again; /* the kernel could not send just now, for want of something */
	unsigned open_handles;
	struct tunnel_queued *queue; /* a ring */
	size_t size;
	size_t first;
	size_t n_queued;
	size_t reserved; /* for messages that are to come: see tunnel_channel_reserve() */
	int code;        /* < 0: broken */
	tunnel_received_cb received;
	tunnel_broken_cb broken;
	void (*closed)(struct tunnel_channel *channel);
};

/* A descriptor for tunnel_channel_open(): connected to the socket of a helper that somebody else
 * has started. Negative: an errno of connect(2). */
int tunnel_channel_connect(const char *path);

/* Takes fd, also when it fails. Errors: -ENOMEM, those of epoll_ctl. */
int tunnel_channel_open(struct tunnel_channel *c, uv_loop_t *loop, int fd,
			tunnel_received_cb received, tunnel_broken_cb broken);

/* Takes fd (-1 = none). Returns 0, also for a channel that is broken, or -ENOMEM: it is not sent.
 */
int tunnel_channel_send(struct tunnel_channel *c, const struct tunnel_message *message, int fd);

/* Does the other side keep up? */
bool tunnel_channel_has_room(const struct tunnel_channel *c);

/* Keep room for so many more messages, however short memory is later, until it is unreserved.
 * Error: -ENOMEM. */
int tunnel_channel_reserve(struct tunnel_channel *c, size_t n);
void tunnel_channel_unreserve(struct tunnel_channel *c, size_t n);

void tunnel_channel_close(struct tunnel_channel *c, void (*closed)(struct tunnel_channel *channel));
