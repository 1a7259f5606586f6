/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A router's tunnel on a disk and beside programs that are in its way: it goes on by itself once
 * they are not. ssh is a script here. */
#include "support.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "onboarding/router/local_port.h"
#include "onboarding/router/tunnel.h"
#include "onboarding/ssh_key.h"

struct world {
	uv_loop_t loop;
	char *folder;
	char ssh[256];
	char known_hosts[256];
	uint8_t blob[SSH_KEY_ED25519_SIZE];
	struct span host_key;
	struct tunnel tunnel;
	unsigned connections;
	char reason[256]; /* the last one told */
	bool is_connected;
	bool is_told; /* that it is down */
	bool is_closed;
};

static void on_connected(struct tunnel *t)
{
	struct world *w = container_of(t, struct world, tunnel);

	/* What ssh has said before. */
	assert_int_equal(t->kex, SSH_KEX_SNTRUP761);
	w->connections++;
	w->is_connected = true;
}

static void on_disconnected(struct tunnel *t, const char *reason)
{
	struct world *w = container_of(t, struct world, tunnel);

	(void)snprintf(w->reason, sizeof(w->reason), "%s", reason);
	w->is_told = true;
	w->is_connected = false;
}

static void on_closed(struct tunnel *t)
{
	container_of(t, struct world, tunnel)->is_closed = true;
}

/* What it is told to forward stands in "words"; it lives while there is "up". */
static void make(struct world *w)
{
	static const char type[] = "ssh-ed25519";
	char script[1024];

	memset(w, 0, sizeof(*w));
	w->folder = test_folder();
	(void)snprintf(w->ssh, sizeof(w->ssh), "%s/ssh", w->folder);
	(void)snprintf(w->known_hosts, sizeof(w->known_hosts), "%s/state/known_hosts", w->folder);
	(void)snprintf(script, sizeof(script),
		       "#!/bin/sh\n"
		       "echo \"$@\" >%1$s/words\n"
		       "[ -e %1$s/up ] || { echo 'not yet' >&2; exit 255; }\n"
		       "echo 'debug1: kex: algorithm: sntrup761x25519-sha512@openssh.com' >&2\n"
		       "echo 'debug1: remote forward success for: x' >&2\n"
		       "while [ -e %1$s/up ]; do sleep 0.02; done\n",
		       w->folder);
	test_write(w->ssh, span_of_string(script));
	assert_int_equal(chmod(w->ssh, 0700), 0);
	w->blob[3] = sizeof(type) - 1;
	memcpy(w->blob + 4, type, sizeof(type) - 1);
	w->blob[sizeof(type) + 6] = 32;
	w->host_key = span_of(w->blob, sizeof(w->blob));
	assert_int_equal(uv_loop_init(&w->loop), 0);
}

static int start(struct world *w, const char *host, struct err *err)
{
	static const struct tunnel_callbacks callbacks = {
		.connected = on_connected,
		.disconnected = on_disconnected,
	};
	const struct tunnel_options options = {
		.ssh = w->ssh,
		.host = host,
		.port = 930,
		.user = "somebody",
		.key = "/nowhere",
		.known_hosts = w->known_hosts,
		.host_keys = &w->host_key,
		.n_host_keys = 1,
		.kex = "sntrup761x25519-sha512@openssh.com",
		.listen_port = 10000,
		.socket = "/nowhere",
		.repository_port = 8930,
	};

	tunnel_init(&w->tunnel, &w->loop, &options, &callbacks);
	return tunnel_start(&w->tunnel, err);
}

static void end(struct world *w)
{
	tunnel_close(&w->tunnel, on_closed);
	test_run_until(&w->loop, &w->is_closed);
	test_close_loop(&w->loop);
	test_folder_remove(w->folder);
}

static void set_up(const struct world *w)
{
	test_write(test_path(w->folder, "up"), span_of_string(""));
}

static void make_state_directory(const struct world *w)
{
	assert_int_equal(mkdir(test_path(w->folder, "state"), 0700), 0);
}

/* Where it cannot pin the host keys it waits, says why, and does so later. */
static void test_disk_that_takes_nothing_at_the_start(void **state)
{
	struct world w;
	struct err err;

	(void)state;
	make(&w);
	set_up(&w);
	assert_int_equal(start(&w, "192.0.2.1", &err), 0);
	assert_false(w.is_told); /* not inside the call */
	test_run_until(&w.loop, &w.is_told);
	assert_contains(w.reason, "state/known_hosts");
	assert_int_equal(w.tunnel.state, TUNNEL_WAITING);
	assert_int_not_equal(tunnel_next_try_s(&w.tunnel, 1000), 0);
	assert_string_equal(w.tunnel.problem, w.reason);
	make_state_directory(&w);
	test_run_until(&w.loop, &w.is_connected);
	assert_string_equal(w.tunnel.problem, "");
	end(&w);
}

static void test_what_no_try_would_help(void **state)
{
	struct world w;
	struct err err;

	(void)state;
	make(&w);
	make_state_directory(&w);
	assert_int_equal(start(&w, "-oProxyCommand=x", &err), -EINVAL);
	assert_int_equal(w.tunnel.state, TUNNEL_STOPPED);
	assert_int_equal(w.tunnel.local_port, 0);
	end(&w);
}

/* As ssh does. */
static int listen_at(uint16_t port)
{
	const struct sockaddr_in at = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void expect_port_in_words(const struct world *w)
{
	char part[64];
	size_t size;
	char *words = test_read(test_path(w->folder, "words"), &size);

	(void)snprintf(part, sizeof(part), "-L 127.0.0.1:%u:localhost:8930", w->tunnel.local_port);
	assert_contains(words, part);
	assert_contains(words, "-o KexAlgorithms=sntrup761x25519-sha512@openssh.com ");
	free(words);
}

/* Down and up again it has the same port; where somebody took that, another. */
static void test_local_port(void **state)
{
	struct world w;
	struct err err;
	uint16_t first;
	int fd;

	(void)state;
	make(&w);
	make_state_directory(&w);
	set_up(&w);
	assert_int_equal(start(&w, "192.0.2.1", &err), 0);
	first = w.tunnel.local_port;
	assert_int_not_equal(first, 0);
	test_run_until(&w.loop, &w.is_connected);
	expect_port_in_words(&w);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(unlink(test_path(w.folder, "up")), 0);
		w.is_told = false;
		test_run_until(&w.loop, &w.is_told);
		fd = i == 1 ? listen_at(first) : -1;
		set_up(&w);
		test_run_until(&w.loop, &w.is_connected);
		expect_port_in_words(&w);
		assert_int_equal(w.tunnel.local_port == first, i == 0);
		if (fd >= 0)
			(void)close(fd);
	}
	end(&w);
}

/* Connections that have ended leave their port to the next who listens. */
static void test_port_with_connections_that_have_ended(void **state)
{
	uint16_t port;
	uint16_t again;
	struct err err;
	int listener;
	int client;
	int server;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	(void)state;
	assert_int_equal(local_port_choose(&port, 0, &err), 0);
	listener = listen_at(port);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.sin_port = htons(port);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	(void)close(server); /* first: TIME_WAIT is at this end */
	(void)close(client);
	(void)close(listener);
	assert_int_equal(local_port_choose(&again, port, &err), 0);
	assert_int_equal(again, port);
}

/* Each try asks for the file: one that is as it should be is not written again. */
static void test_host_keys_are_written_once(void **state)
{
	struct world w;
	struct stat before;
	struct stat after;
	struct err err;

	(void)state;
	make(&w);
	make_state_directory(&w);
	assert_int_equal(start(&w, "192.0.2.1", &err), 0);
	assert_int_equal(stat(w.known_hosts, &before), 0);
	test_run_until(&w.loop, &w.is_told);
	set_up(&w);
	test_run_until(&w.loop, &w.is_connected);
	assert_int_equal(stat(w.known_hosts, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_that_takes_nothing_at_the_start),
		cmocka_unit_test(test_what_no_try_would_help),
		cmocka_unit_test(test_local_port),
		cmocka_unit_test(test_port_with_connections_that_have_ended),
		cmocka_unit_test(test_host_keys_are_written_once),
	};

	return argc > 1 ? process_become_tied(argv) : cmocka_run_group_tests(tests, NULL, NULL);
}
