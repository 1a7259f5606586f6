/* tunnel_channel.h - the messages of conductord and its helper (tunnel_message), with descriptors
 * (SCM_RIGHTS), over a unix socket that keeps them apart (SOCK_SEQPACKET).
 *
 * What the other side does not take yet waits here, in order, however much it is: a session that
 * stands is never the price of one that comes. Whoever can wait asks tunnel_channel_has_room()
 * first; all else is bounded by what it is about (sessions, requests). A message of another size
 * breaks the channel: its owner closes it then. A kernel that is short of memory, or of descriptors
 * under way, does not: it is asked again.
 *
 * Calling sequence: tunnel_channel_open -> send, received ... -> [broken] -> tunnel_channel_close.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "onboarding/conductor/tunnel_message.h"

struct tunnel_channel;
/* fd is -1, or the receiver's from now on. Also -1 where there was no descriptor free for it. */
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

/* Takes fd, also when it fails. Errors: -ENOMEM, those of epoll_ctl. */
int tunnel_channel_open(struct tunnel_channel *c, uv_loop_t *loop, int fd,
			tunnel_received_cb received, tunnel_broken_cb broken);

/* Takes fd (-1 = none). Returns 0, also for a channel that is broken, or -ENOMEM: it is not sent.
 */
int tunnel_channel_send(struct tunnel_channel *c, const struct tunnel_message *message, int fd);

/* Does the other side keep up? */
bool tunnel_channel_has_room(const struct tunnel_channel *c);

/* So many messages more will find their place, whatever memory there is then; until they are let go
 * of. Error: -ENOMEM. */
int tunnel_channel_reserve(struct tunnel_channel *c, size_t n);
void tunnel_channel_unreserve(struct tunnel_channel *c, size_t n);

void tunnel_channel_close(struct tunnel_channel *c, void (*closed)(struct tunnel_channel *channel));
