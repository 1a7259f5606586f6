/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/tunnel_desk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "conductor/tunnels/tunnel_request.h"

/* What a session has to tell: that it is authenticated, and that it is over. */
#define WORDS_OF_SESSION 2

/* Memory for what each session has to tell is reserved at its start. A reply may be lost for want
 * of memory: then conductord gives up the request by itself. */
static void send_message(struct tunnel_desk *d, const struct tunnel_message *message, int fd)
{
	if (d->serving)
		(void)tunnel_channel_send(&d->channel, message, fd);
	else if (fd >= 0)
		(void)close(fd);
}

static void let_go_of_reserve(struct tunnel_desk *d, size_t n)
{
	if (d->serving)
		tunnel_channel_unreserve(&d->channel, n);
}

static void on_authenticated(struct tunnel_sessions *all, uint32_t id, const char *fingerprint,
			     enum ssh_kex kex)
{
	struct tunnel_desk *d = container_of(all, struct tunnel_desk, sessions);
	struct tunnel_message message = {
		.type = TUNNEL_AUTHENTICATED, .id = id, .kex = (uint8_t)kex};

	(void)snprintf(message.fingerprint, sizeof(message.fingerprint), "%s", fingerprint);
	let_go_of_reserve(d, 1);
	send_message(d, &message, -1);
}

static void tell_if_empty(struct tunnel_desk *d)
{
	if (!d->serving && !d->channel_open && !d->sessions.first)
		d->emptied(d);
}

static void on_ended(struct tunnel_sessions *all, uint32_t id, bool was_authenticated)
{
	struct tunnel_desk *d = container_of(all, struct tunnel_desk, sessions);

	let_go_of_reserve(d, was_authenticated ? WORDS_OF_SESSION - 1 : WORDS_OF_SESSION);
	send_message(d, &(struct tunnel_message){.type = TUNNEL_ENDED, .id = id}, -1);
	tell_if_empty(d);
}

static void reply(struct tunnel_desk *d, uint32_t id, int fd_or_code)
{
	const struct tunnel_message message = {
		.type = TUNNEL_REPLY,
		.id = id,
		.code = MIN(fd_or_code, 0),
	};

	send_message(d, &message, MAX(fd_or_code, -1));
}

/* A session needs a free descriptor, and memory for what it will have to tell. */
static void start_session(struct tunnel_desk *d, const struct tunnel_message *m, int fd)
{
	if (fd >= 0 && tunnel_channel_reserve(&d->channel, WORDS_OF_SESSION) == 0) {
		tunnel_session_start(&d->sessions, m->id, fd, m->seconds, &m->kex_order);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	send_message(d, &(struct tunnel_message){.type = TUNNEL_ENDED, .id = m->id}, -1);
}

static void obey(struct tunnel_desk *d, const struct tunnel_message *m)
{
	switch (m->type) {
	case TUNNEL_END_SESSION:
		tunnel_session_end(&d->sessions, m->id);
		break;
	case TUNNEL_END_KEY:
		tunnel_session_end_key(&d->sessions, m->fingerprint);
		break;
	case TUNNEL_CONNECT:
		reply(d, m->id, tunnel_request_connect(m->port));
		break;
	default:
		reply(d, m->id, tunnel_request_listen(m->port));
	}
}

static void on_received(struct tunnel_channel *channel, const struct tunnel_message *m, int fd)
{
	struct tunnel_desk *d = container_of(channel, struct tunnel_desk, channel);
	bool is_ours = tunnel_message_is_to_helper(m);

	if (is_ours && m->type == TUNNEL_SESSION) {
		start_session(d, m, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (is_ours)
		obey(d, m);
	else
		log_debug("tunnels: message %d is none to us", m->type);
}

static void on_broken(struct tunnel_channel *channel, int code)
{
	struct tunnel_desk *d = container_of(channel, struct tunnel_desk, channel);

	log_debug("tunnels: conductord is gone: %s", strerror(-code));
	d->gone(d);
}

static void on_channel_closed(struct tunnel_channel *channel)
{
	struct tunnel_desk *d = container_of(channel, struct tunnel_desk, channel);

	d->channel_open = false;
	tell_if_empty(d);
}

void tunnel_desk_init(struct tunnel_desk *d, const struct tunnel_sessions *sessions)
{
	d->sessions = *sessions;
	d->sessions.authenticated = on_authenticated;
	d->sessions.ended = on_ended;
}

int tunnel_desk_open(struct tunnel_desk *d, int fd, const struct host_keys *host_keys)
{
	struct tunnel_message ready = {.type = TUNNEL_READY};
	int rc = tunnel_channel_open(&d->channel, d->sessions.loop, fd, on_received, on_broken);

	if (rc < 0)
		return rc;
	d->channel_open = d->serving = true;
	ready.host_keys = *host_keys;
	send_message(d, &ready, -1);
	return 0;
}

void tunnel_desk_leave(struct tunnel_desk *d)
{
	d->serving = false;
	tunnel_session_end_all(&d->sessions);
	if (d->channel_open)
		tunnel_channel_close(&d->channel, on_channel_closed);
}
