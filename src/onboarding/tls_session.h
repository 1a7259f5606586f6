/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_session.h - a socket and its TLS channel: bytes move on the loop, computing is on the
 * thread pool.
 *
 * Whenever bytes have come, compute() is called on a worker, which has the channel to itself: it
 * advances, reads and writes it, and sets over when nothing more is to be read. Then the pending
 * bytes are sent, and the session reads on or calls over().
 *
 *	READING ▶ COMPUTING ▶ WRITING ▶ READING … ▶ OVER ▶ CLOSING
 *	             ▲▼          ▲
 *	           WAITING ──────┘
 *
 * compute() sets waits when it needs something that its worker cannot do. Then nothing is read or
 * sent, and the channel belongs to the owner, until the owner calls tls_session_go_on() or
 * tls_session_compute().
 *
 * Calling sequence: tls_session_init -> tls_session_start -> compute, computed ... -> over ->
 * tls_session_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/work.h"
#include "onboarding/tls_channel.h"

struct tls_session;

struct tls_session_callbacks {
	void (*compute)(struct tls_session *s);
	/* Will compute() only take some 50 µs with what comes next? Then it is called on the loop,
	 * which costs less than to wake a worker. NULL = never. */
	bool (*is_quick)(const struct tls_session *s);
	/* Back on the loop, before what is pending is sent. May be NULL. */
	void (*computed)(struct tls_session *s);
	/* Once. broken: why it ended before compute() said so; NULL = all is sent. */
	void (*over)(struct tls_session *s, const char *broken);
};

enum tls_session_state {
	TLS_SESSION_READING,
	TLS_SESSION_COMPUTING,
	TLS_SESSION_WAITING,
	TLS_SESSION_WRITING,
	TLS_SESSION_OVER,
	TLS_SESSION_CLOSING,
};

struct tls_session {
	enum tls_session_state state;
	const struct tls_session_callbacks *callbacks;
	uv_loop_t *loop;
	int fd;
	struct tls_channel *channel;
	bool over;          /* set by compute(), or before tls_session_go_on() */
	bool waits;         /* set by compute() */
	const char *to_end; /* why, while a worker or its owner has it */
	int watched;        /* what poll waits for */
	uv_poll_t poll;
	uv_timer_t timer;
	struct work work;
	unsigned handles;
	void (*closed)(struct tls_session *s);
};

/* On success fd (connected and non-blocking) and channel belong to the session. Negative: an
 * error of libuv. */
int tls_session_init(struct tls_session *s, uv_loop_t *loop, int fd, struct tls_channel *channel,
		     const struct tls_session_callbacks *callbacks);

/* speaks_first: compute() is called at once. */
void tls_session_start(struct tls_session *s, bool speaks_first);

/* The session must be over within so many milliseconds from now. */
void tls_session_limit(struct tls_session *s, uint64_t ms);

/* What compute() waited for has come. Not to be called within computed(). */
void tls_session_go_on(struct tls_session *s);
/* The same, and compute() is called again. */
void tls_session_compute(struct tls_session *s);

/* End it as soon as no worker has the channel and it does not wait. why is borrowed. If it is
 * over already, nothing happens. */
void tls_session_end(struct tls_session *s, const char *why);

/* After over(). */
void tls_session_close(struct tls_session *s, void (*closed)(struct tls_session *s));
