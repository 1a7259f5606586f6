/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who sends a request a byte at a time: it is ended in time, however busy its connection looks; and
 * who waits for an answer is not. */
#include "support.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "http/http_server.h"

#define IDLE_S    1
#define BYTE_MS   100
#define TOO_LONG  (3 * IDLE_S * 1000 / BYTE_MS) /* bytes */
#define N_CLIENTS 3

struct client {
	int fd;
	const char *says; /* at once; then a byte at a time */
	bool must_end;
	bool ended;
};

struct world {
	uv_loop_t loop;
	struct http_server *server;
	uv_timer_t timer;
	struct client clients[N_CLIENTS];
	unsigned n_bytes;
	bool over;
	bool closed;
	struct http_exchange *waiting;
};

static void on_gone(void *kept)
{
	((struct world *)kept)->waiting = NULL;
}

static void on_request(struct http_exchange *x)
{
	struct world *w = http_exchange_owner(x);

	w->waiting = x;
	http_exchange_keep(x, w, on_gone);
}

static const struct http_route routes[] = {
	{"POST", "/", HTTP_CHANGES, on_request, NULL, 0},
	{"GET", "/", HTTP_READS, on_request, NULL, 0},
};

static int connect_to(uint16_t port)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void look_at(struct client *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_DONTWAIT);

	if (c->must_end)
		(void)send(c->fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	assert_true(n <= 0); /* no answer */
	c->ended |= n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void on_byte(uv_timer_t *timer)
{
	struct world *w = timer->data;
	bool all = true;

	for (unsigned i = 0; i < N_CLIENTS; i++) {
		look_at(&w->clients[i]);
		all &= w->clients[i].ended || !w->clients[i].must_end;
	}
	w->n_bytes++;
	w->over = all || w->n_bytes >= TOO_LONG;
}

static void on_closed(void *owner)
{
	((struct world *)owner)->closed = true;
}

static void test_slow_requests_end(void **state)
{
	struct world w = {
		.clients = {{.says = "GET / HTTP/1.1\r\nX: ", .must_end = true},
			    {.says = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n",
			     .must_end = true},
			    {.says = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}}};
	const struct http_listener listener = {
		.routes = routes,
		.n_routes = N_ELEMENTS(routes),
		.idle_s = IDLE_S,
		.owner = &w,
	};
	struct err err;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(uv_loop_init(&w.loop), 0);
	assert_int_equal(
		http_server_listen_tcp(&w.server, &w.loop, &listener, "127.0.0.1", 0, &err), 0);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		struct client *c = &w.clients[i];

		c->fd = connect_to(http_server_port(w.server));
		assert_int_equal(send(c->fd, c->says, strlen(c->says), 0), strlen(c->says));
	}
	(void)uv_timer_init(&w.loop, &w.timer);
	w.timer.data = &w;
	(void)uv_timer_start(&w.timer, on_byte, BYTE_MS, BYTE_MS);
	test_run_until(&w.loop, &w.over);
	for (unsigned i = 0; i < N_CLIENTS; i++)
		assert_int_equal(w.clients[i].ended, w.clients[i].must_end);
	assert_true(w.n_bytes >= IDLE_S * 1000 / BYTE_MS - 1);
	assert_non_null(w.waiting);
	for (unsigned i = 0; i < N_CLIENTS; i++)
		(void)close(w.clients[i].fd);
	uv_close((uv_handle_t *)&w.timer, NULL);
	http_server_close(w.server, on_closed, &w);
	test_close_loop(&w.loop);
	assert_true(w.closed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_requests_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
