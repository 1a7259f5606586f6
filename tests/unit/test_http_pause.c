/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request that is resumed, and has no room after all, again and again: what its server sends
 * stays on the way, and not in our memory. */
#include "support.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_client.h"

#define RESUMES    200
#define KEPT_MAX   (1u << 20) /* bytes; libcurl's buffer has 64 KiB, so 200 of them are 12 MiB */
#define TAKEN_LAST (4u << 20)
#define PERIOD     251 /* a prime, so that a part that is missing shows */

static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";

struct world {
	uv_loop_t loop;
	uv_timer_t timer;
	struct http_client *client;
	struct http_request *request;
	int listening;
	int connection;
	uint64_t sent;
	uint64_t sent_at_first_pause;
	unsigned n_offers;
	bool offered;
	uint64_t taken;
	bool done;
	bool closed;
};

static void accept_and_answer(struct world *w)
{
	w->connection = accept4(w->listening, NULL, NULL, SOCK_NONBLOCK);
	if (w->connection < 0)
		return;
	assert_int_equal(send(w->connection, HEAD, strlen(HEAD), MSG_NOSIGNAL), strlen(HEAD));
}

/* Until nothing more fits into the sockets' buffers. */
static void send_body(struct world *w)
{
	uint8_t bytes[PERIOD * 256];
	ssize_t n;

	do {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)((w->sent + i) % PERIOD);
		n = send(w->connection, bytes, sizeof(bytes), MSG_NOSIGNAL);
		w->sent += n > 0 ? (uint64_t)n : 0;
	} while (n > 0);
}

static void on_tick(uv_timer_t *timer)
{
	struct world *w = timer->data;

	if (w->connection < 0)
		accept_and_answer(w);
	if (w->connection < 0 || w->done)
		return;
	send_body(w);
	if (!w->offered)
		return;
	w->offered = false;
	if (w->n_offers == 1)
		w->sent_at_first_pause = w->sent;
	if (w->n_offers == RESUMES)
		assert_in_range(w->sent - w->sent_at_first_pause, 0, KEPT_MAX);
	http_request_resume(w->request);
}

static int on_headers(struct http_request *request, const struct http_head *head, void *owner)
{
	(void)request;
	(void)head;
	(void)owner;
	return 0;
}

static int on_body(struct http_request *request, struct span bytes, void *owner)
{
	struct world *w = owner;

	if (w->n_offers < RESUMES) {
		w->n_offers++;
		w->offered = true;
		return HTTP_PAUSE;
	}
	for (size_t i = 0; i < bytes.size; i++)
		assert_int_equal(bytes.bytes[i], (w->taken + i) % PERIOD);
	w->taken += bytes.size;
	if (w->taken >= TAKEN_LAST)
		http_request_cancel(request);
	return 0;
}

static void on_done(struct http_request *request, const struct http_result *result, void *owner)
{
	(void)request;
	assert_int_equal(result->outcome, HTTP_CANCELLED);
	((struct world *)owner)->done = true;
}

static void on_closed(void *owner)
{
	((struct world *)owner)->closed = true;
}

static uint16_t listen_somewhere(struct world *w)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(at);

	w->connection = -1;
	w->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(w->listening, (const struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(w->listening, 1), 0);
	assert_int_equal(getsockname(w->listening, (struct sockaddr *)&at, &size), 0);
	return ntohs(at.sin_port);
}

static void test_nothing_is_kept_of_what_has_no_room(void **state)
{
	const struct http_access access = {.connect_timeout_s = 5};
	struct world w = {0};
	char url[64];
	const struct http_get get = {
		.url = url,
		.access = &access,
		.callbacks = {.headers = on_headers, .body = on_body, .done = on_done},
		.owner = &w,
	};
	struct err err;

	(void)state;
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", listen_somewhere(&w));
	assert_int_equal(uv_loop_init(&w.loop), 0);
	assert_int_equal(uv_timer_init(&w.loop, &w.timer), 0);
	w.timer.data = &w;
	assert_int_equal(uv_timer_start(&w.timer, on_tick, 0, 1), 0);
	assert_int_equal(http_client_init(&w.client, &w.loop, &err), 0);
	assert_int_equal(http_client_get(w.client, &get, &w.request), 0);
	test_run_until(&w.loop, &w.done);
	assert_int_equal(w.n_offers, RESUMES);
	assert_true(w.taken >= TAKEN_LAST); /* all that was refused came, and what came after it */
	(void)close(w.connection);
	(void)close(w.listening);
	uv_close((uv_handle_t *)&w.timer, NULL);
	http_client_close(w.client, on_closed, &w);
	test_close_loop(&w.loop);
	assert_true(w.closed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_kept_of_what_has_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
