/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/tls_session.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"

#define READ_SIZE 4096

static void wait_for_socket(struct tls_session *s);

static void on_poll(uv_poll_t *poll, int status, int events);

/* Each start and each stop is a system call, so what is watched already is left as it is. */
static void watch(struct tls_session *s, int events)
{
	if (events == s->watched)
		return;
	s->watched = events;
	if (events)
		(void)uv_poll_start(&s->poll, events, on_poll);
	else
		(void)uv_poll_stop(&s->poll);
}

static void be_over(struct tls_session *s, const char *broken)
{
	s->state = TLS_SESSION_OVER;
	watch(s, 0);
	(void)uv_timer_stop(&s->timer);
	(void)shutdown(s->fd, SHUT_WR);
	s->callbacks->over(s, broken);
}

void tls_session_end(struct tls_session *s, const char *why)
{
	if (s->state == TLS_SESSION_COMPUTING || s->state == TLS_SESSION_WAITING)
		s->to_end = why;
	else if (s->state == TLS_SESSION_READING || s->state == TLS_SESSION_WRITING)
		be_over(s, why);
}

static void compute_on_worker(struct work *work)
{
	struct tls_session *s = container_of(work, struct tls_session, work);

	s->callbacks->compute(s);
}

static void send_pending(struct tls_session *s)
{
	s->state = TLS_SESSION_WRITING;
	if (s->to_end && !s->over)
		be_over(s, s->to_end);
	else
		wait_for_socket(s);
}

static void end_computing(struct tls_session *s)
{
	s->state = s->waits ? TLS_SESSION_WAITING : TLS_SESSION_WRITING;
	if (s->callbacks->computed)
		s->callbacks->computed(s);
	if (s->state != TLS_SESSION_WAITING)
		send_pending(s);
}

static void on_computed(struct work *work)
{
	end_computing(container_of(work, struct tls_session, work));
}

void tls_session_go_on(struct tls_session *s)
{
	assert(s->state == TLS_SESSION_WAITING);
	s->waits = false;
	send_pending(s);
}

static void compute(struct tls_session *s)
{
	s->state = TLS_SESSION_COMPUTING;
	watch(s, 0);
	work_submit(s->loop, &s->work, compute_on_worker, on_computed);
}

/* What takes less time than to wake a worker is done at once. */
static void compute_here(struct tls_session *s)
{
	s->state = TLS_SESSION_COMPUTING;
	s->callbacks->compute(s);
	if (s->waits)
		watch(s, 0);
	end_computing(s);
}

void tls_session_compute(struct tls_session *s)
{
	assert(s->state == TLS_SESSION_WAITING);
	s->waits = false;
	if (s->to_end)
		be_over(s, s->to_end);
	else
		compute(s);
}

static void read_bytes(struct tls_session *s)
{
	uint8_t bytes[READ_SIZE];
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		be_over(s, n == 0 ? "the peer ended the connection" : strerror(errno));
	else if (tls_channel_receive(s->channel, span_of(bytes, (size_t)n)) < 0)
		be_over(s, "the peer sent more than a handshake has");
	else if (s->callbacks->is_quick && s->callbacks->is_quick(s))
		compute_here(s);
	else
		compute(s);
}

/* Returns whether there is nothing left to send. */
static bool write_bytes(struct tls_session *s)
{
	struct span pending = tls_channel_pending(s->channel);

	while (pending.size > 0) {
		ssize_t n = send(s->fd, pending.bytes, pending.size, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n < 0)
			return true; /* the next read reports the error */
		tls_channel_sent(s->channel, (size_t)n);
		pending = tls_channel_pending(s->channel);
	}
	return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct tls_session *s = container_of(poll, struct tls_session, poll);

	if (status < 0)
		be_over(s, uv_strerror(status));
	else if (s->state == TLS_SESSION_WRITING)
		wait_for_socket(s);
	else if (events & UV_READABLE)
		read_bytes(s);
}

/* Does what is next: writes, ends, or reads. */
static void wait_for_socket(struct tls_session *s)
{
	if (!write_bytes(s)) {
		s->state = TLS_SESSION_WRITING;
		watch(s, UV_WRITABLE);
	} else if (s->over) {
		be_over(s, NULL);
	} else {
		s->state = TLS_SESSION_READING;
		watch(s, UV_READABLE);
	}
}

static void on_timeout(uv_timer_t *timer)
{
	tls_session_end(container_of(timer, struct tls_session, timer), "it took too long");
}

int tls_session_init(struct tls_session *s, uv_loop_t *loop, int fd, struct tls_channel *channel,
		     const struct tls_session_callbacks *callbacks)
{
	int rc;

	memset(s, 0, sizeof(*s));
	rc = uv_poll_init(loop, &s->poll, fd);
	if (rc < 0)
		return rc;
	(void)uv_timer_init(loop, &s->timer);
	s->handles = 2;
	s->loop = loop;
	s->fd = fd;
	s->channel = channel;
	s->callbacks = callbacks;
	return 0;
}

void tls_session_start(struct tls_session *s, bool speaks_first)
{
	if (speaks_first)
		compute(s);
	else
		wait_for_socket(s);
}

void tls_session_limit(struct tls_session *s, uint64_t ms)
{
	(void)uv_timer_start(&s->timer, on_timeout, ms, 0);
}

static void handle_closed(struct tls_session *s)
{
	if (--s->handles > 0)
		return;
	tls_channel_free(s->channel);
	(void)close(s->fd);
	s->closed(s);
}

static void on_poll_closed(uv_handle_t *handle)
{
	handle_closed(container_of((uv_poll_t *)handle, struct tls_session, poll));
}

static void on_timer_closed(uv_handle_t *handle)
{
	handle_closed(container_of((uv_timer_t *)handle, struct tls_session, timer));
}

void tls_session_close(struct tls_session *s, void (*closed)(struct tls_session *s))
{
	assert(s->state == TLS_SESSION_OVER);
	s->state = TLS_SESSION_CLOSING;
	s->closed = closed;
	uv_close((uv_handle_t *)&s->poll, on_poll_closed);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
