/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Client and server on one loop: what was promised of callbacks, and that nothing is left. */
#include "http_world.h"

#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"

static uint64_t sent_by_sendfile;

/* In place of libc's, which libmicrohttpd would call. */
ssize_t sendfile64(int out, int in, off64_t *offset, size_t n)
{
	ssize_t sent = syscall(SYS_sendfile, out, in, offset, n);

	if (sent > 0)
		sent_by_sendfile += (uint64_t)sent;
	return sent;
}

static uint64_t sum_of(uint64_t first, uint64_t last)
{
	uint64_t sum = 0;

	for (uint64_t i = first; i <= last; i++)
		sum += (uint8_t)(i * 31 + i / 256);
	return sum;
}

static void test_whole_and_ranges(void **state)
{
	static const struct {
		bool has_range;
		uint64_t first, last; /* asked for */
		int status;
		uint64_t got_first, got_last;
	} rows[] = {
		{false, 0, 0, 200, 0, FILE_SIZE - 1},
		{true, 0, 0, 206, 0, 0},
		{true, 1000, 200000, 206, 1000, 200000},
		{true, FILE_SIZE - 1, FILE_SIZE + 10, 206, FILE_SIZE - 1, FILE_SIZE - 1},
	};
	struct http_world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		http_world_get(w, http_world_url(w, "/file"), rows[i].has_range, rows[i].first,
			       rows[i].last);
		test_run_until(&w->loop, &w->done);
		assert_int_equal(w->result.outcome, HTTP_DONE);
		assert_int_equal(w->result.status, rows[i].status);
		assert_int_equal(w->n_headers, 1);
		assert_int_equal(w->bytes, rows[i].got_last - rows[i].got_first + 1);
		assert_int_equal(w->sum, sum_of(rows[i].got_first, rows[i].got_last));
		assert_int_equal(w->head.length, w->bytes);
		if (rows[i].status == 206) {
			assert_int_equal(w->head.range_state, RANGE_VALID);
			assert_int_equal(w->head.range_first, rows[i].got_first);
			assert_int_equal(w->head.range_total, FILE_SIZE);
		}
	}
	http_world_get(w, http_world_url(w, "/file"), true, FILE_SIZE, FILE_SIZE);
	test_run_until(&w->loop, &w->done);
	assert_int_equal(w->result.status, 416);
}

/* A conductor sends an image to thousands: read and copied, a GiB costs seven times the CPU. */
static void test_files_are_sent_without_a_copy(void **state)
{
	struct http_world *w = *state;

	sent_by_sendfile = 0;
	http_world_get(w, http_world_url(w, "/file"), true, 1000, 200000);
	test_run_until(&w->loop, &w->done);
	assert_int_equal(w->bytes, 199001);
	assert_int_equal(sent_by_sendfile, 199001);
}

static void test_pause(void **state)
{
	struct http_world *w = *state;

	w->behaviour = PAUSE_ONCE;
	http_world_get(w, http_world_url(w, "/file"), false, 0, 0);
	test_run_until(&w->loop, &w->done);
	assert_true(w->paused);
	assert_int_equal(w->bytes, FILE_SIZE); /* what was refused came again */
	assert_int_equal(w->sum, sum_of(0, FILE_SIZE - 1));
}

static void test_ended_by_a_callback(void **state)
{
	static const struct {
		enum behaviour behaviour;
		enum http_outcome outcome;
		int code;
	} rows[] = {
		{ABORT_IN_HEADERS, HTTP_ABORTED, -EPROTO},
		{ABORT_IN_BODY, HTTP_ABORTED, -EMSGSIZE},
		{CANCEL_IN_BODY, HTTP_CANCELLED, 0},
	};
	struct http_world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		w->behaviour = rows[i].behaviour;
		http_world_get(w, http_world_url(w, "/file"), false, 0, 0);
		test_run_until(&w->loop, &w->done);
		assert_int_equal(w->result.outcome, rows[i].outcome);
		assert_int_equal(w->result.code, rows[i].code);
		assert_int_equal(w->n_done, 1);
	}
}

static void test_cancelled_at_once(void **state)
{
	struct http_world *w = *state;

	http_world_get(w, http_world_url(w, "/file"), false, 0, 0);
	http_request_cancel(w->request);
	assert_int_equal(w->n_done, 0);
	http_request_cancel(w->request); /* again: nothing more */
	test_run_until(&w->loop, &w->done);
	assert_int_equal(w->result.outcome, HTTP_CANCELLED);
	assert_int_equal(w->n_done, 1);
}

static void test_nobody_there(void **state)
{
	static const struct {
		const char *url;
		enum http_outcome outcome;
	} rows[] = {
		{"http://127.0.0.1:1/", HTTP_CONNECT_FAILED},
		{"http://no-such-host.invalid/", HTTP_RESOLVE_FAILED},
		{"ftp://127.0.0.1/", HTTP_PROTOCOL_ERROR},
		{"file:///etc/passwd", HTTP_PROTOCOL_ERROR},
	};
	struct http_world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		http_world_get(w, rows[i].url, false, 0, 0);
		test_run_until(&w->loop, &w->done);
		if (w->result.outcome != rows[i].outcome)
			fail_msg("%s: %d, %s", rows[i].url, (int)w->result.outcome,
				 w->result.err.text);
		assert_int_equal(w->n_headers, 0);
		assert_true(w->result.err.text[0]);
	}
}

/* Done comes before closed, also for what is in the middle. */
static void test_client_closes_first(void **state)
{
	struct http_world *w = *state;

	http_world_get(w, http_world_url(w, "/later"), false, 0, 0);
	while (!w->waiting)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	http_client_close(w->client, http_world_closed, &w->client_closed);
	w->client = NULL;
	test_run_until(&w->loop, &w->client_closed);
	assert_int_equal(w->n_done, 1);
	assert_int_equal(w->result.outcome, HTTP_CANCELLED);
	http_reply_empty(w->waiting, 204); /* to nobody: only now the server notices */
	test_run_until(&w->loop, &w->gone);
}

static void test_server_closes_first(void **state)
{
	struct http_world *w = *state;

	http_world_get(w, http_world_url(w, "/later"), false, 0, 0);
	while (!w->waiting)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	http_server_close(w->server, http_world_closed, &w->server_closed);
	w->server = NULL;
	test_run_until(&w->loop, &w->server_closed);
	assert_true(w->gone);
	test_run_until(&w->loop, &w->done);
	if (w->result.outcome == HTTP_DONE)
		assert_int_equal(w->result.status, 503);
}

static void on_answer_now(uv_timer_t *timer)
{
	struct http_world *w = timer->data;

	http_reply_text(w->waiting, 200, "text/plain", "at last");
}

static void test_reply_later(void **state)
{
	struct http_world *w = *state;

	http_world_get(w, http_world_url(w, "/later"), false, 0, 0);
	while (!w->waiting)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	(void)uv_timer_start(&w->timer, on_answer_now, 20, 0);
	test_run_until(&w->loop, &w->done);
	assert_int_equal(w->result.status, 200);
	assert_int_equal(w->bytes, strlen("at last"));
}

/* Answers the first request of each connection, and resets the connection at the second: as a
 * firewall does that has forgotten the connection, or a server whose patience ended just then. */
struct forgetful {
	uv_tcp_t listener;
	struct forgotten {
		uv_tcp_t tcp;
		unsigned n_asked;
	} connections[4];
	unsigned n_connections;
	uv_write_t write;
	char room[4096];
};

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
	struct forgetful *f = handle->data;

	(void)size;
	*ret = uv_buf_init(f->room, sizeof(f->room));
}

static void on_asked(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	static char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	struct forgotten *connection = container_of(stream, struct forgotten, tcp);
	struct forgetful *f = connection->tcp.data;
	uv_buf_t bytes = uv_buf_init(reply, sizeof(reply) - 1);

	(void)buffer;
	if (n < 0)
		(void)uv_read_stop(stream);
	else if (connection->n_asked++ == 0)
		assert_int_equal(uv_write(&f->write, stream, &bytes, 1, NULL), 0);
	else
		assert_int_equal(uv_tcp_close_reset(&connection->tcp, NULL), 0);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct forgetful *f = listener->data;
	struct forgotten *connection = &f->connections[f->n_connections++];

	assert_int_equal(status, 0);
	assert_true(f->n_connections <= N_ELEMENTS(f->connections));
	(void)uv_tcp_init(listener->loop, &connection->tcp);
	connection->tcp.data = f;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&connection->tcp), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)&connection->tcp, on_room, on_asked), 0);
}

static void listen_forgetfully(struct http_world *w, struct forgetful *f)
{
	struct sockaddr_storage place;
	int size = sizeof(place);

	memset(f, 0, sizeof(*f));
	(void)uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&place);
	(void)uv_tcp_init(&w->loop, &f->listener);
	f->listener.data = f;
	(void)uv_tcp_bind(&f->listener, (const struct sockaddr *)&place, 0);
	assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 8, on_connection), 0);
	(void)uv_tcp_getsockname(&f->listener, (struct sockaddr *)&place, &size);
	(void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/",
		       ntohs(((struct sockaddr_in *)&place)->sin_port));
}

/* It was the connection that failed and not the request, which a new connection brings. */
static void test_kept_connection_that_is_reset(void **state)
{
	struct http_world *w = *state;
	struct forgetful f;
	unsigned n_brought = 0;

	listen_forgetfully(w, &f);
	for (unsigned i = 0; i < 3; i++) {
		http_world_get(w, w->url, false, 0, 0);
		test_run_until(&w->loop, &w->done);
		n_brought += w->result.outcome == HTTP_DONE && w->bytes == strlen("hello");
	}
	for (unsigned i = 0; i < f.n_connections; i++)
		if (!uv_is_closing((uv_handle_t *)&f.connections[i].tcp))
			uv_close((uv_handle_t *)&f.connections[i].tcp, NULL);
	uv_close((uv_handle_t *)&f.listener, NULL);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	assert_int_equal(n_brought, 3);
	assert_int_equal(f.n_connections, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_and_ranges, http_world_make,
						http_world_end),
		cmocka_unit_test_setup_teardown(test_files_are_sent_without_a_copy, http_world_make,
						http_world_end),
		cmocka_unit_test_setup_teardown(test_pause, http_world_make, http_world_end),
		cmocka_unit_test_setup_teardown(test_ended_by_a_callback, http_world_make,
						http_world_end),
		cmocka_unit_test_setup_teardown(test_cancelled_at_once, http_world_make,
						http_world_end),
		cmocka_unit_test_setup_teardown(test_nobody_there, http_world_make, http_world_end),
		cmocka_unit_test_setup_teardown(test_client_closes_first, http_world_make,
						http_world_end),
		cmocka_unit_test_setup_teardown(test_server_closes_first, http_world_make,
						http_world_end),
		cmocka_unit_test_setup_teardown(test_reply_later, http_world_make, http_world_end),
		cmocka_unit_test_setup_teardown(test_kept_connection_that_is_reset, http_world_make,
						http_world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
