/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One port, two protocols, over real sockets; the addresses are those of the loopback's net. */
#include "support.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "conductor/enrolment/port_mux.h"
#include "faults.h"

#define HANDED_MAX 32

struct world {
	uv_loop_t loop;
	struct port_mux *mux;
	struct {
		int fd;
		turns_ticket ticket;
		char address[64];
	} handed[2 * HANDED_MAX]; /* in order, TLS and SSH */
	unsigned n_tls;
	unsigned n_ssh;
	turns_ticket shown_out;
	unsigned n_shown_out;
	bool has_room; /* for SSH, where the test asks */
	bool closed;
};

static void keep(struct world *w, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	unsigned at = w->n_tls + w->n_ssh;
	struct sockaddr_in6 v6;

	assert_true(at < N_ELEMENTS(w->handed));
	memcpy(&v6, peer, sizeof(v6));
	assert_int_equal(v6.sin6_family, AF_INET6);
	(void)inet_ntop(AF_INET6, &v6.sin6_addr, w->handed[at].address,
			sizeof(w->handed[at].address));
	w->handed[at].fd = fd;
	w->handed[at].ticket = ticket;
}

static void on_tls(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	struct world *w = owner;

	keep(w, fd, peer, ticket);
	w->n_tls++;
}

static void on_ssh(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	struct world *w = owner;

	keep(w, fd, peer, ticket);
	w->n_ssh++;
}

static void on_show_out(void *owner, enum port_line line, turns_ticket ticket)
{
	struct world *w = owner;

	(void)line;
	w->shown_out = ticket;
	w->n_shown_out++;
}

static void on_closed(void *owner)
{
	((struct world *)owner)->closed = true;
}

static struct port_mux_options options_for(struct world *w)
{
	struct port_mux_options options = port_mux_defaults;

	options.port = 0;
	options.tls = on_tls;
	options.ssh = on_ssh;
	options.show_out = on_show_out;
	options.owner = w;
	return options;
}

static void world_open(struct world *w, const struct port_mux_options *options)
{
	struct err err;

	memset(w, 0, sizeof(*w));
	assert_int_equal(uv_loop_init(&w->loop), 0);
	if (port_mux_open(&w->mux, &w->loop, options, &err) < 0)
		fail_msg("%s", err.text);
}

static void world_end(struct world *w)
{
	port_mux_close(w->mux, on_closed, w);
	test_close_loop(&w->loop);
	assert_true(w->closed);
	for (unsigned i = 0; i < w->n_tls + w->n_ssh; i++)
		(void)close(w->handed[i].fd);
}

static int client(const struct world *w, const char *from, const char *first)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, from, &at.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons(port_mux_port(w->mux));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (*first)
		assert_int_equal(send(fd, first, strlen(first), MSG_NOSIGNAL), strlen(first));
	return fd;
}

#define RUN_UNTIL(w, condition)                                                                    \
	do {                                                                                       \
		uint64_t end_ms = uv_hrtime() / 1000000 + 10000;                                   \
		while (!(condition)) {                                                             \
			assert_true(uv_hrtime() / 1000000 < end_ms);                               \
			(void)uv_run(&(w)->loop, UV_RUN_NOWAIT);                                   \
			(void)usleep(1000);                                                        \
		}                                                                                  \
	} while (0)

static bool is_reset(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void test_first_byte(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	int clients[7];
	char got[8] = "";

	(void)state;
	world_open(&w, &options);
	clients[0] = client(&w, "127.0.0.2", "\x16\x03");
	RUN_UNTIL(&w, w.n_tls == 1);
	clients[1] = client(&w, "127.0.0.3", "S");
	RUN_UNTIL(&w, w.n_ssh == 1);
	assert_string_equal(w.handed[0].address, "::ffff:127.0.0.2");
	assert_string_equal(w.handed[1].address, "::ffff:127.0.0.3");
	/* Nothing was consumed. */
	assert_int_equal(recv(w.handed[0].fd, got, sizeof(got), 0), 2);
	assert_memory_equal(got, "\x16\x03", 2);
	assert_int_equal(recv(w.handed[1].fd, got, sizeof(got), 0), 1);
	assert_int_equal(got[0], 'S');
	assert_int_equal(port_mux_begun(w.mux, PORT_SSH), 1);
	clients[2] = client(&w, "127.0.0.4", "\x15\x03");
	clients[3] = client(&w, "127.0.0.4", "GET / HTTP/1.1\r\n");
	clients[4] = client(&w, "127.0.0.4", "s");
	clients[5] = client(&w, "127.0.0.4", "");
	assert_int_equal(shutdown(clients[5], SHUT_WR), 0); /* no byte at all */
	RUN_UNTIL(&w, port_mux_counts(w.mux).garbage == 4);
	for (unsigned i = 2; i < 6; i++)
		RUN_UNTIL(&w, is_reset(clients[i]));
	/* A peer may take its time for the first byte. */
	clients[6] = client(&w, "127.0.0.5", "");
	RUN_UNTIL(&w, port_mux_silent(w.mux) == 1);
	assert_int_equal(send(clients[6], "\x16", 1, 0), 1);
	RUN_UNTIL(&w, w.n_tls == 2);
	assert_int_equal(port_mux_silent(w.mux), 0);
	port_mux_finished(w.mux, PORT_TLS, w.handed[0].ticket);
	assert_int_equal(port_mux_begun(w.mux, PORT_TLS), 1);
	for (unsigned i = 0; i < 7; i++)
		(void)close(clients[i]);
	world_end(&w);
}

static void test_silence(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	int clients[3];

	(void)state;
	options.silence_ms = 300;
	world_open(&w, &options);
	for (unsigned i = 0; i < 3; i++)
		clients[i] = client(&w, "127.0.0.2", "");
	RUN_UNTIL(&w, port_mux_silent(w.mux) == 3);
	RUN_UNTIL(&w, port_mux_counts(w.mux).silent == 3);
	for (unsigned i = 0; i < 3; i++) {
		RUN_UNTIL(&w, is_reset(clients[i]));
		(void)close(clients[i]);
	}
	assert_int_equal(port_mux_silent(w.mux), 0);
	world_end(&w);
}

static void test_silent_table_is_full(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	int clients[3];

	(void)state;
	options.silent_max = 2;
	world_open(&w, &options);
	for (unsigned i = 0; i < 3; i++) {
		clients[i] = client(&w, "127.0.0.2", "");
		RUN_UNTIL(&w, port_mux_silent(w.mux) == MIN(i + 1, 2));
	}
	RUN_UNTIL(&w, is_reset(clients[0]));
	assert_false(is_reset(clients[1]));
	assert_int_equal(send(clients[2], "S", 1, 0), 1);
	RUN_UNTIL(&w, w.n_ssh == 1);
	for (unsigned i = 0; i < 3; i++)
		(void)close(clients[i]);
	world_end(&w);
}

static void test_rate(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	int clients[21];

	(void)state;
	world_open(&w, &options);
	for (unsigned i = 0; i < 20; i++)
		clients[i] = client(&w, "127.0.0.2", "");
	RUN_UNTIL(&w, port_mux_counts(w.mux).refused >= 14); /* one a second comes in */
	clients[20] = client(&w, "127.0.0.3", "S");
	RUN_UNTIL(&w, w.n_ssh == 1);
	for (unsigned i = 0; i < 21; i++)
		(void)close(clients[i]);
	world_end(&w);
}

/* Nobody has stalled yet: who comes to full places waits, and gets the place of who leaves. */
static void test_who_comes_waits(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	int clients[4];

	(void)state;
	options.tls_max = 1;
	world_open(&w, &options);
	for (unsigned i = 0; i < 3; i++)
		clients[i] = client(&w, "127.0.0.2", "\x16");
	RUN_UNTIL(&w, w.n_tls == 1 && port_mux_waiting(w.mux, PORT_TLS) == 2);
	port_mux_finished(w.mux, PORT_SSH, w.handed[0].ticket); /* the other line: nobody's */
	port_mux_finished(w.mux, PORT_TLS, w.handed[0].ticket + 1);
	assert_int_equal(port_mux_begun(w.mux, PORT_TLS), 1);
	(void)close(clients[1]); /* it does not want to wait */
	RUN_UNTIL(&w, port_mux_waiting(w.mux, PORT_TLS) == 1);
	assert_int_equal(w.n_tls, 1);
	port_mux_finished(w.mux, PORT_TLS, w.handed[0].ticket);
	RUN_UNTIL(&w, w.n_tls == 2);
	assert_int_equal(port_mux_waiting(w.mux, PORT_TLS), 0);
	clients[3] = client(&w, "127.0.0.3", "S"); /* the other line has places */
	RUN_UNTIL(&w, w.n_ssh == 1);
	assert_int_equal(w.n_shown_out, 0);
	for (unsigned i = 0; i < 4; i++)
		if (i != 1)
			(void)close(clients[i]);
	world_end(&w);
}

#define QUICK_ONES 12

/* So the patience with others is the least. */
static void show_how_long_it_takes(struct world *w)
{
	for (unsigned i = 0; i < QUICK_ONES; i++) {
		char from[32];
		int quick;

		(void)snprintf(from, sizeof(from), "127.0.1.%u", i + 1);
		quick = client(w, from, "\x16");
		RUN_UNTIL(w, w->n_tls == i + 1);
		assert_false(port_mux_through(w->mux, PORT_TLS, w->handed[i].ticket));
		(void)close(quick);
	}
}

static bool ask_whether_busy(void *owner, turns_ticket ticket)
{
	const struct world *w = owner;

	return ticket == w->handed[QUICK_ONES].ticket;
}

/* Two have begun and go no further. One waits for us, so the other is it. */
static void test_who_has_stalled_is_shown_out(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	int clients[3];
	char byte;

	(void)state;
	options.tls_max = 2;
	options.tls_is_busy = ask_whether_busy;
	world_open(&w, &options);
	show_how_long_it_takes(&w);
	for (unsigned i = 0; i < 2; i++) {
		clients[i] = client(&w, "127.0.0.2", "\x16");
		RUN_UNTIL(&w, w.n_tls == QUICK_ONES + i + 1);
		assert_int_equal(recv(w.handed[QUICK_ONES + i].fd, &byte, 1, 0), 1);
	}
	clients[2] = client(&w, "127.0.0.2", "\x16");
	RUN_UNTIL(&w, w.n_tls == QUICK_ONES + 3);
	assert_int_equal(w.n_shown_out, 1);
	assert_int_equal(w.shown_out, w.handed[QUICK_ONES + 1].ticket);
	assert_true(is_reset(clients[1]));
	assert_false(is_reset(clients[0]));
	assert_int_equal(port_mux_counts(w.mux).tls_shown_out, 1);
	for (unsigned i = 0; i < 3; i++)
		(void)close(clients[i]);
	world_end(&w);
}

static bool has_room(void *owner)
{
	return ((const struct world *)owner)->has_room;
}

/* The tunnels' helper cannot take any: all of SSH waits, TLS does not. */
static void test_no_room(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	int clients[6];

	(void)state;
	options.ssh_has_room = has_room;
	world_open(&w, &options);
	for (unsigned i = 0; i < 5; i++)
		clients[i] = client(&w, "127.0.0.2", "SSH-2.0-x\r\n");
	clients[5] = client(&w, "127.0.0.3", "\x16");
	RUN_UNTIL(&w, w.n_tls == 1 && port_mux_waiting(w.mux, PORT_SSH) == 5);
	assert_int_equal(w.n_ssh, 0);
	w.has_room = true;
	port_mux_look(w.mux);
	RUN_UNTIL(&w, w.n_ssh > 0);
	port_mux_forget_ssh(w.mux); /* the helper is gone with them */
	assert_int_equal(port_mux_begun(w.mux, PORT_SSH), 0);
	for (unsigned i = 0; i < 6; i++)
		(void)close(clients[i]);
	world_end(&w);
}

/* Who got through is known, also among many strangers, and after a restart (known_routers). */
static void test_the_known_come_first(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	int clients[8];

	(void)state;
	options.known = known_addresses_new(1);
	options.ssh_has_room = has_room;
	world_open(&w, &options);
	w.has_room = true;
	clients[0] = client(&w, "127.0.0.9", "S");
	RUN_UNTIL(&w, w.n_ssh == 1);
	assert_true(port_mux_through(w.mux, PORT_SSH, w.handed[0].ticket));
	assert_false(port_mux_through(w.mux, PORT_SSH, w.handed[0].ticket));
	w.has_room = false;
	for (unsigned i = 1; i < 7; i++)
		clients[i] = client(&w, i < 4 ? "127.0.0.2" : "127.0.0.3", "S");
	RUN_UNTIL(&w, port_mux_waiting(w.mux, PORT_SSH) == 6);
	clients[7] = client(&w, "127.0.0.9", "S");
	RUN_UNTIL(&w, port_mux_waiting(w.mux, PORT_SSH) == 7);
	w.has_room = true;
	port_mux_look(w.mux);
	RUN_UNTIL(&w, w.n_ssh > 1);
	assert_string_equal(w.handed[1].address, "::ffff:127.0.0.9");
	for (unsigned i = 0; i < 8; i++)
		(void)close(clients[i]);
	world_end(&w);
	known_addresses_free(options.known);
}

/* No descriptor is left: a silent peer gives its own; without one, others wait in the kernel. */
static void test_no_descriptors(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	struct rlimit before;
	struct rlimit few;
	int clients[4];
	int next;

	(void)state;
	world_open(&w, &options);
	clients[0] = client(&w, "127.0.0.2", "");
	RUN_UNTIL(&w, port_mux_silent(w.mux) == 1);
	clients[1] = client(&w, "127.0.0.3", "");
	clients[2] = client(&w, "127.0.0.4", "S");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	next = dup(STDERR_FILENO);
	(void)close(next);
	few = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	RUN_UNTIL(&w, port_mux_counts(w.mux).accept_failures > 0);
	RUN_UNTIL(&w, w.n_ssh == 1);
	assert_int_equal(port_mux_counts(w.mux).accept_failures, 2);
	RUN_UNTIL(&w, is_reset(clients[0]));
	RUN_UNTIL(&w, is_reset(clients[1]));
	/* What was handed on holds the last one: who comes now waits until there is another. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	clients[3] = client(&w, "127.0.0.5", "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	RUN_UNTIL(&w, port_mux_counts(w.mux).accept_failures == 3);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	RUN_UNTIL(&w, port_mux_silent(w.mux) == 1);
	for (unsigned i = 0; i < 4; i++)
		(void)close(clients[i]);
	world_end(&w);
}

static void test_open_errors(void **state)
{
	struct world w;
	struct port_mux_options options = options_for(&w);
	struct port_mux *second = NULL;
	struct err err;

	(void)state;
	world_open(&w, &options);
	options.address = "nowhere";
	assert_int_equal(port_mux_open(&second, &w.loop, &options, &err), -EINVAL);
	assert_string_equal(err.text, "'nowhere' is not an IP address");
	options.address = NULL;
	options.port = port_mux_port(w.mux);
	assert_int_equal(port_mux_open(&second, &w.loop, &options, &err), -EADDRINUSE);
	assert_contains(err.text, "Address already in use");
	options.port = 0;
	for (unsigned n = 1; n <= 12; n++) {
		faults_fail_allocation(n);
		assert_int_equal(port_mux_open(&second, &w.loop, &options, &err), -ENOMEM);
		assert_true(faults_had_effect());
	}
	assert_null(second);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_byte),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_silent_table_is_full),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_who_comes_waits),
		cmocka_unit_test(test_who_has_stalled_is_shown_out),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_the_known_come_first),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_open_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
