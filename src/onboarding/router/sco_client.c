/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/sco_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/work.h"
#include "onboarding/router/tcp_stall.h"

#define CONNECT_TIMEOUT_MS   15000
#define HANDSHAKE_TIMEOUT_MS 120000 /* a TPM takes seconds for a key */
#define STALL_MS             30000  /* a conductor speaks within 13.5 s (turns.h) and 10 s more */
#define MTU_ADVICE                                                                                 \
	"let the ICMP messages pass by which the MTU of a path is found, or set a smaller MTU on " \
	"this machine's link"

/*
 *	opening ▶ resolving ▶ connecting ▶ connected ▶ talking ▶ done
 *
 * Opening reads the certificate and asks the TPM, on a worker. Connected waits until libuv has
 * closed the handle that connected.
 */
enum client_state {
	CLIENT_OPENING,
	CLIENT_RESOLVING,
	CLIENT_CONNECTING,
	CLIENT_CONNECTED,
	CLIENT_TALKING,
	CLIENT_DONE,
};

struct sco_client {
	struct sco_client_options options;
	sco_client_cb done;
	void *owner;
	void (*closed)(void *owner);
	bool closing;
	enum client_state state;
	struct work opening;
	uv_getaddrinfo_t resolving;
	struct addrinfo *addresses;
	struct addrinfo *next_address;
	uv_tcp_t tcp;
	uv_connect_t connecting;
	uv_timer_t timer;
	unsigned handles;
	bool talks; /* the session has the channel */
	struct sco_steps steps;
	int open_rc;
	struct err err;
};

static void connect_next(struct sco_client *c);

static void finish_close(struct sco_client *c)
{
	uv_freeaddrinfo(c->addresses);
	if (!c->talks)
		tls_channel_free(c->steps.channel);
	sco_steps_close(&c->steps);
	c->closed(c->owner);
	free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
	finish_close(container_of((uv_timer_t *)handle, struct sco_client, timer));
}

static void close_timer(struct sco_client *c)
{
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

/* Ends the client with this result, or closes it if that was asked for. */
static void settle(struct sco_client *c, enum sco_result result)
{
	c->state = CLIENT_DONE;
	(void)uv_timer_stop(&c->timer);
	if (c->closing)
		close_timer(c);
	else
		c->done(c->owner, result, &c->steps.handshake.accept,
			c->steps.handshake.key_exchange, &c->err);
}

/* Talking. */

static void on_session_closed(struct tls_session *tls)
{
	struct sco_client *c = container_of(tls, struct sco_client, steps.session);

	settle(c, c->steps.over ? c->steps.result : SCO_RESULT_RETRY);
}

static void on_over(struct tls_session *tls, const char *broken)
{
	struct sco_client *c = container_of(tls, struct sco_client, steps.session);

	if (broken)
		(void)err_set(&c->err, -ECONNRESET, "%s", broken);
	else
		c->err = c->steps.err;
	if (c->err.code < 0)
		(void)err_wrap(&c->err, "conductor %s, port %u", c->options.host, c->options.port);
	tls_session_close(tls, on_session_closed);
}

static const struct tls_session_callbacks callbacks = {.compute = sco_steps_go_on, .over = on_over};

/* Duplicates the socket of libuv's handle, because two handles may not watch the same descriptor.
 */
static int take_socket(struct sco_client *c)
{
	uv_os_fd_t fd;
	int own;
	int rc = uv_fileno((uv_handle_t *)&c->tcp, &fd);

	if (rc < 0)
		return rc;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -errno;
	rc = tls_session_init(&c->steps.session, c->options.loop, own, c->steps.channel,
			      &callbacks);
	c->talks = rc == 0;
	if (rc < 0)
		(void)close(own);
	return rc;
}

/* The next try may come to the same, but the operator knows why. */
static void on_stall(uv_timer_t *timer)
{
	static const char *const words[] = {
		[TCP_STALL_SILENT] = "nothing came for 30 s: it hangs, or full-size packets are "
				     "lost on the way; if so, " MTU_ADVICE,
		[TCP_STALL_SIZE] = "small packets pass, full-size packets are lost on the way: "
				   "" MTU_ADVICE,
	};
	struct sco_client *c = container_of(timer, struct sco_client, timer);
	struct tls_session *tls = &c->steps.session;
	const enum tcp_stall stall =
		tls->state == TLS_SESSION_READING ? tcp_stall_of(tls->fd) : TCP_STALL_NONE;

	if (stall != TCP_STALL_NONE)
		tls_session_end(tls, words[stall]);
}

static void on_connected_closed(uv_handle_t *handle)
{
	struct sco_client *c = container_of((uv_tcp_t *)handle, struct sco_client, tcp);

	if (c->state == CLIENT_CONNECTING) {
		connect_next(c);
		return;
	}
	c->state = CLIENT_TALKING;
	tls_session_limit(&c->steps.session, HANDSHAKE_TIMEOUT_MS);
	(void)uv_timer_start(&c->timer, on_stall, STALL_MS, STALL_MS);
	tls_session_start(&c->steps.session, true);
	if (c->closing)
		tls_session_end(&c->steps.session, "it is stopped");
}

/* Connecting: each address of the name in turn. */

static void on_connected(uv_connect_t *request, int status)
{
	struct sco_client *c = container_of(request, struct sco_client, connecting);

	(void)uv_timer_stop(&c->timer);
	if (status == 0)
		status = take_socket(c);
	if (status < 0)
		(void)err_set(&c->err, status, "connect to conductor %s, port %u: %s",
			      c->options.host, c->options.port, uv_strerror(status));
	else
		c->state = CLIENT_CONNECTED;
	if (!uv_is_closing((uv_handle_t *)&c->tcp))
		uv_close((uv_handle_t *)&c->tcp, on_connected_closed);
}

static void on_connect_timeout(uv_timer_t *timer)
{
	struct sco_client *c = container_of(timer, struct sco_client, timer);

	uv_close((uv_handle_t *)&c->tcp, on_connected_closed);
}

static void connect_next(struct sco_client *c)
{
	struct addrinfo *address = c->next_address;
	int rc;

	if (!address || c->closing) {
		settle(c, SCO_RESULT_RETRY);
		return;
	}
	c->next_address = address->ai_next;
	(void)uv_tcp_init(c->options.loop, &c->tcp);
	(void)uv_timer_start(&c->timer, on_connect_timeout, CONNECT_TIMEOUT_MS, 0);
	rc = uv_tcp_connect(&c->connecting, &c->tcp, address->ai_addr, on_connected);
	if (rc < 0) {
		(void)err_set(&c->err, rc, "connect to conductor %s: %s", c->options.host,
			      uv_strerror(rc));
		uv_close((uv_handle_t *)&c->tcp, on_connected_closed);
	}
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct sco_client *c = container_of(request, struct sco_client, resolving);

	c->addresses = addresses;
	c->next_address = addresses;
	c->state = CLIENT_CONNECTING;
	if (status < 0)
		(void)err_set(&c->err, -EHOSTUNREACH, "find the address of conductor %s: %s",
			      c->options.host, uv_strerror(status));
	connect_next(c);
}

static void resolve(struct sco_client *c)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	char port[8];
	int rc;

	c->state = CLIENT_RESOLVING;
	(void)snprintf(port, sizeof(port), "%u", c->options.port);
	rc = uv_getaddrinfo(c->options.loop, &c->resolving, on_resolved, c->options.host, port,
			    &hints);
	if (rc < 0) {
		(void)err_set(&c->err, rc, "find the address of conductor %s: %s", c->options.host,
			      uv_strerror(rc));
		settle(c, SCO_RESULT_RETRY);
	}
}

static void run_open(struct work *work)
{
	struct sco_client *c = container_of(work, struct sco_client, opening);

	c->open_rc = sco_steps_open(&c->steps, &c->options.steps, &c->err);
}

static void on_opened(struct work *work)
{
	struct sco_client *c = container_of(work, struct sco_client, opening);

	if (c->open_rc < 0 || c->closing)
		settle(c, SCO_RESULT_RETRY);
	else
		resolve(c);
}

int sco_client_start(struct sco_client **ret, const struct sco_client_options *options,
		     sco_client_cb done, void *owner, struct err *err)
{
	struct sco_client *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	c->options = *options;
	c->done = done;
	c->owner = owner;
	(void)uv_timer_init(options->loop, &c->timer);
	work_submit(options->loop, &c->opening, run_open, on_opened);
	*ret = c;
	return 0;
}

void sco_client_close(struct sco_client *c, void (*closed)(void *owner))
{
	c->closing = true;
	c->closed = closed;
	switch (c->state) {
	case CLIENT_DONE:
		close_timer(c);
		break;
	case CLIENT_CONNECTING:
		if (!uv_is_closing((uv_handle_t *)&c->tcp))
			uv_close((uv_handle_t *)&c->tcp, on_connected_closed);
		break;
	case CLIENT_TALKING:
		tls_session_end(&c->steps.session, "it is stopped");
		break;
	default:
		break; /* the step that is under way sees c->closing */
	}
}
