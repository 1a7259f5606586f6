/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

enum attempt_state { ATTEMPT_WAITING, ATTEMPT_RUNNING, ATTEMPT_FAILED };

struct attempt {
	struct http_connect *connect;
	enum attempt_state state;
	uv_tcp_t tcp;
	uv_connect_t request;
	uint64_t began_ms;
	int code; /* of ATTEMPT_FAILED */
};

struct http_connect {
	uv_loop_t *loop;
	uv_timer_t timer;
	uv_getaddrinfo_t lookup;
	bool looking_up;
	struct http_address_list list;
	struct http_failures *failures;
	uint64_t timeout_ms;
	uint64_t began_ms;
	struct attempt attempts[ADDRESSES_MAX];
	unsigned n_begun;
	unsigned handles; /* not closed yet */
	bool ended;
	struct http_connect_callbacks callbacks;
};

static void on_tick(uv_timer_t *timer);

static void handle_closed(struct http_connect *c)
{
	if (--c->handles > 0)
		return; /* a lookup that runs counts as a handle */
	c->callbacks.closed(c->callbacks.closed_owner);
	free(c);
}

static void on_tcp_closed(uv_handle_t *handle)
{
	handle_closed(container_of(handle, struct attempt, tcp)->connect);
}

static void on_timer_closed(uv_handle_t *handle)
{
	handle_closed(container_of(handle, struct http_connect, timer));
}

static void close_attempt(struct attempt *a)
{
	if (a->state != ATTEMPT_WAITING && !uv_is_closing((uv_handle_t *)&a->tcp))
		uv_close((uv_handle_t *)&a->tcp, on_tcp_closed);
}

static void end_connect(struct http_connect *c)
{
	c->ended = true;
	if (c->looking_up)
		(void)uv_cancel((uv_req_t *)&c->lookup);
	for (unsigned i = 0; i < c->n_begun; i++)
		close_attempt(&c->attempts[i]);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void describe_attempt(const struct http_connect *c, unsigned i, char *ret, size_t size)
{
	const struct attempt *a = &c->attempts[i];
	char place[64];

	http_address_text(&c->list.items[i], place, sizeof(place));
	if (a->state == ATTEMPT_FAILED)
		(void)snprintf(ret, size, "%s: %s", place, uv_strerror(a->code));
	else
		(void)snprintf(ret, size, "%s: Timeout, no answer within %llu s", place,
			       (unsigned long long)(c->timeout_ms / 1000));
}

static void describe(const struct http_connect *c, struct err *err)
{
	char text[ERR_TEXT_SIZE] = "";
	size_t used = 0;

	for (unsigned i = 0; i < c->n_begun && used < sizeof(text); i++) {
		char attempt[160];

		describe_attempt(c, i, attempt, sizeof(attempt));
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
					 i > 0 ? "; " : "", attempt);
	}
	(void)err_set(err, -ETIMEDOUT, "%s", text);
}

static void fail(struct http_connect *c)
{
	struct http_connect_result result = {.fd = -1, .list = &c->list};

	describe(c, &result.err);
	for (unsigned i = 0; i < c->n_begun; i++)
		http_failures_add(c->failures, &c->list.items[i], uv_now(c->loop));
	end_connect(c);
	c->callbacks.done(c, &result, c->callbacks.owner);
}

/* Addresses that were tried before the winner count as failed: they are slower at least. */
static void win(struct http_connect *c, struct attempt *winner)
{
	unsigned at = (unsigned)(winner - c->attempts);
	struct http_connect_result result = {
		.fd = -1,
		.address = c->list.items[at],
		.list = &c->list,
		.took_ms = uv_now(c->loop) - winner->began_ms,
	};
	uv_os_fd_t fd;

	for (unsigned i = 0; i < at; i++)
		http_failures_add(c->failures, &c->list.items[i], uv_now(c->loop));
	http_failures_remove(c->failures, &c->list.items[at]);
	if (uv_fileno((uv_handle_t *)&winner->tcp, &fd) == 0)
		result.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (result.fd < 0)
		(void)err_set_errno(&result.err, -errno, "connect");
	end_connect(c);
	c->callbacks.done(c, &result, c->callbacks.owner);
}

static void attempt_failed(struct attempt *a, int code)
{
	a->state = ATTEMPT_FAILED;
	a->code = code;
	close_attempt(a);
	(void)uv_timer_start(&a->connect->timer, on_tick, 0, CONNECT_NEXT_MS);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct attempt *a = container_of(request, struct attempt, request);

	if (a->connect->ended || a->state != ATTEMPT_RUNNING)
		return;
	if (status < 0)
		attempt_failed(a, status);
	else
		win(a->connect, a);
}

static void begin_next(struct http_connect *c)
{
	const struct http_address *address = &c->list.items[c->n_begun];
	struct attempt *a = &c->attempts[c->n_begun++];
	int rc;

	a->connect = c;
	a->state = ATTEMPT_RUNNING;
	a->began_ms = uv_now(c->loop);
	(void)uv_tcp_init(c->loop, &a->tcp);
	c->handles++;
	rc = uv_tcp_connect(&a->request, &a->tcp, (const struct sockaddr *)&address->place,
			    on_connected);
	if (rc < 0)
		attempt_failed(a, rc);
}

static bool all_failed(const struct http_connect *c)
{
	for (unsigned i = 0; i < c->list.n; i++)
		if (c->attempts[i].state != ATTEMPT_FAILED)
			return false;
	return true;
}

static void on_tick(uv_timer_t *timer)
{
	struct http_connect *c = container_of(timer, struct http_connect, timer);

	if (all_failed(c) || uv_now(c->loop) - c->began_ms >= c->timeout_ms)
		fail(c);
	else if (c->n_begun < c->list.n)
		begin_next(c);
}

static void begin_connect(struct http_connect *c)
{
	http_addresses_sort(&c->list, c->failures, uv_now(c->loop));
	(void)uv_timer_start(&c->timer, on_tick, 0, CONNECT_NEXT_MS);
}

static void take_addresses(struct http_connect *c, const struct addrinfo *found)
{
	struct http_address_list list = {.n = 0};
	uint16_t port = http_address_port(&c->list.items[0]);

	for (const struct addrinfo *info = found; info; info = info->ai_next) {
		struct http_address address = {.size = info->ai_addrlen};

		if (info->ai_addrlen > sizeof(address.place))
			continue;
		memcpy(&address.place, info->ai_addr, info->ai_addrlen);
		http_address_set_port(&address, port);
		http_addresses_add(&list, &address);
	}
	for (unsigned i = 0; i < c->list.n; i++)
		http_addresses_add(&list, &c->list.items[i]);
	c->list = list;
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
	struct http_connect *c = container_of(lookup, struct http_connect, lookup);

	c->looking_up = false;
	if (!c->ended) {
		if (status == 0)
			take_addresses(c, found);
		begin_connect(c);
	}
	uv_freeaddrinfo(found);
	handle_closed(c);
}

/* libcurl has just resolved this name, but it tells us only one address at a time. So we look it
 * up again. */
static void look_up(struct http_connect *c, const char *host)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

	c->looking_up = uv_getaddrinfo(c->loop, &c->lookup, on_looked_up, host, NULL, &hints) == 0;
	c->handles += c->looking_up;
}

int http_connect_start(struct http_connect **ret, uv_loop_t *loop,
		       const struct http_address_list *list, const char *host,
		       struct http_failures *failures, uint64_t timeout_ms,
		       const struct http_connect_callbacks *callbacks)
{
	struct http_connect *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->list = *list;
	c->failures = failures;
	c->timeout_ms = timeout_ms;
	c->callbacks = *callbacks;
	c->handles = 1;
	uv_update_time(loop);
	c->began_ms = uv_now(loop);
	(void)uv_timer_init(loop, &c->timer);
	if (host)
		look_up(c, host);
	if (!c->looking_up)
		begin_connect(c);
	*ret = c;
	return 0;
}

void http_connect_cancel(struct http_connect *c)
{
	if (!c->ended)
		end_connect(c);
}
