/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Both sides of the tunnels, on the command line, so that they can be held against OpenSSH:
 *
 *	tunnel_tool helper USER DIRECTORY AUTHORIZED_KEYS
 *	tunnel_tool conductor PORT USER DIRECTORY AUTHORIZED_KEYS [SOCKET]
 *	tunnel_tool router HOST PORT USER KEY KNOWN_HOSTS LISTEN_PORT SOCKET LOCAL_PORT HOST_KEY
 *
 * Each prints a line for what happens. The conductor takes lines on stdin:
 *
 *	authorize BASE64:PORT...   these keys, and no other
 *	end BASE64                 the sessions of a key
 *	connect PORT               say "hello", print what comes back
 *	listen                     a repository that says "repository" to all
 *	counts
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/macros.h"
#include "conductor/enrolment/port_mux.h"
#include "conductor/tunnels/tunnel_host.h"
#include "conductor/tunnels/tunnels.h"
#include "onboarding/router/tunnel.h"

#define REPOSITORY_PORT 8930
#define KEYS_MAX        16

static struct {
	uv_loop_t loop;
	struct port_mux *mux;
	struct tunnels tunnels;
	struct tunnels_request listening;
	uv_poll_t repository;
	uv_pipe_t input;
	uv_signal_t terminated;
	char line[4096];
	const char *authorized_keys;
	bool closing;
} conductor;

static int fail(const struct err *err)
{
	(void)fprintf(stderr, "%s\n", err->text);
	return 1;
}

static struct authorized_key read_key(const char *text, size_t size)
{
	struct authorized_key key = {0};
	uint8_t *blob;
	size_t blob_size;

	if (base64_decode(span_of(text, size), &blob, &blob_size) < 0 ||
	    blob_size != sizeof(key.blob)) {
		(void)fprintf(stderr, "no key: %s\n", text);
		exit(1);
	}
	memcpy(key.blob, blob, blob_size);
	free(blob);
	return key;
}

static void print_blob(const char *what, const uint8_t *blob)
{
	char text[BASE64_LENGTH(SSH_KEY_ED25519_SIZE) + 1];

	base64_write(span_of(blob, SSH_KEY_ED25519_SIZE), text);
	(void)printf("%s %s\n", what, text);
}

/* A handshake that is over with its first byte. */
static void on_tls(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	(void)owner;
	(void)peer;
	(void)!write(fd, "tls", 3);
	(void)close(fd);
	port_mux_finished(conductor.mux, PORT_TLS, ticket);
	(void)printf("tls %u\n", ticket);
}

static void on_ssh(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	(void)owner;
	(void)peer;
	(void)printf("ssh %u\n", ticket);
	if (tunnels_session(&conductor.tunnels, ticket, fd, TUNNEL_HOST_LOGIN_GRACE_S) < 0)
		port_mux_finished(conductor.mux, PORT_SSH, ticket);
}

static void on_show_out(void *owner, enum port_line line, turns_ticket ticket)
{
	(void)owner;
	(void)printf("shown-out %u\n", ticket);
	if (line == PORT_SSH)
		tunnels_end_session(&conductor.tunnels, ticket);
}

static bool ssh_has_room(void *owner)
{
	(void)owner;
	return tunnels_has_room(&conductor.tunnels);
}

static void on_ready(void *owner, const struct host_keys *host_keys)
{
	(void)owner;
	print_blob("ready", host_keys->now);
}

static void on_lost(void *owner, const char *reason)
{
	(void)owner;
	if (conductor.mux)
		port_mux_forget_ssh(conductor.mux);
	(void)printf("lost %s\n", reason);
}

static void on_authenticated(void *owner, uint32_t id, const char *fingerprint, enum ssh_kex kex)
{
	(void)owner;
	(void)kex;
	(void)port_mux_through(conductor.mux, PORT_SSH, id);
	(void)printf("authenticated %u %s\n", id, fingerprint);
}

static void on_ended(void *owner, uint32_t id)
{
	(void)owner;
	port_mux_finished(conductor.mux, PORT_SSH, id);
	(void)printf("ended %u\n", id);
}

/* This may wait: it is a tool. */
static void on_connected(struct tunnels_request *request, int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char got[256] = "";
	ssize_t n = -1;

	free(request);
	if (fd < 0) {
		(void)printf("connected %s\n", strerror(-fd));
		return;
	}
	if (write(fd, "hello\n", 6) == 6 && poll(&readable, 1, 5000) == 1)
		n = read(fd, got, sizeof(got) - 1);
	got[strcspn(got, "\n")] = '\0';
	(void)printf("connected %s\n", n > 0 ? got : "and nothing came");
	(void)close(fd);
}

static void on_repository_asked(uv_poll_t *poll, int status, int events)
{
	uv_os_fd_t listener = -1;
	int fd;

	(void)status;
	(void)events;
	(void)uv_fileno((uv_handle_t *)poll, &listener);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "repository\n", 11);
	(void)close(fd);
}

static void on_listening(struct tunnels_request *request, int fd)
{
	(void)request;
	(void)printf("listening %s\n", fd < 0 ? strerror(-fd) : "");
	if (fd < 0)
		return;
	(void)uv_poll_init(&conductor.loop, &conductor.repository, fd);
	(void)uv_poll_start(&conductor.repository, UV_READABLE, on_repository_asked);
}

static void authorize(char *words)
{
	struct authorized_key keys[KEYS_MAX];
	struct err err;
	size_t n = 0;
	char *rest;

	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		const char *colon = strchr(word, ':');

		keys[n] = read_key(word, (size_t)(colon - word));
		keys[n++].listen_port = (uint16_t)strtoul(colon + 1, NULL, 10);
	}
	if (authorized_keys_write(conductor.authorized_keys, keys, n, REPOSITORY_PORT, &err) < 0)
		exit(fail(&err));
	(void)puts("authorized");
}

static void print_counts(void)
{
	const struct port_mux_counts c = port_mux_counts(conductor.mux);
	struct rusage used;

	(void)getrusage(RUSAGE_SELF, &used);
	(void)printf("counts tls=%lu ssh=%lu garbage=%lu silent=%lu refused=%lu ssh_shown_out=%lu "
		     "ssh_turned_away=%lu in_silent=%u waiting=%u in_ssh=%u cpu_ms=%ld\n",
		     c.tls, c.ssh, c.garbage, c.silent, c.refused, c.ssh_shown_out,
		     c.ssh_turned_away, port_mux_silent(conductor.mux),
		     port_mux_waiting(conductor.mux, PORT_SSH),
		     port_mux_begun(conductor.mux, PORT_SSH),
		     (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
			     (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000);
}

static void obey(char *line)
{
	struct authorized_key key;

	if (strncmp(line, "authorize", 9) == 0) {
		authorize(line + 9);
	} else if (strncmp(line, "end ", 4) == 0) {
		key = read_key(line + 4, strlen(line + 4));
		tunnels_end_key(&conductor.tunnels, key.blob);
	} else if (strncmp(line, "connect ", 8) == 0) {
		tunnels_connect(&conductor.tunnels, calloc(1, sizeof(struct tunnels_request)),
				(uint16_t)strtoul(line + 8, NULL, 10), on_connected);
	} else if (strcmp(line, "listen") == 0) {
		tunnels_listen(&conductor.tunnels, &conductor.listening, REPOSITORY_PORT,
			       on_listening);
	} else {
		print_counts();
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	(void)handle;
	(void)suggested;
	*ret = uv_buf_init(conductor.line, sizeof(conductor.line) - 1);
}

static void on_tunnels_closed(struct tunnels *t)
{
	(void)t;
}

static void on_mux_closed(void *owner)
{
	(void)owner;
}

static void close_all(void)
{
	if (conductor.closing)
		return;
	conductor.closing = true;
	tunnels_close(&conductor.tunnels, on_tunnels_closed);
	port_mux_close(conductor.mux, on_mux_closed, NULL);
	uv_close((uv_handle_t *)&conductor.input, NULL);
	uv_close((uv_handle_t *)&conductor.terminated, NULL);
	if (conductor.repository.loop)
		uv_close((uv_handle_t *)&conductor.repository, NULL);
}

static void on_terminated(uv_signal_t *signal, int number)
{
	(void)signal;
	(void)number;
	close_all();
}

/* Each command comes in one write. */
static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	char *rest;

	(void)stream;
	if (n < 0) {
		close_all();
		return;
	}
	buffer->base[n] = '\0';
	for (char *line = strtok_r(buffer->base, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		obey(line);
}

static int run_conductor(char **argument)
{
	const char *const helper[] = {"/proc/self/exe", "helper",    argument[1],
				      argument[2],      argument[3], NULL};
	const char *places = getenv("STEWARD_SSH_PLACES"); /* fewer than it has, for a test */
	struct port_mux_options mux = port_mux_defaults;
	const struct tunnels_options tunnels = {
		.argv = argument[4] ? NULL : helper,
		.socket = argument[4],
		.ready = on_ready,
		.lost = on_lost,
		.authenticated = on_authenticated,
		.ended = on_ended,
	};
	struct err err;

	mux.port = (uint16_t)strtoul(argument[0], NULL, 10);
	if (places)
		mux.ssh_max = (uint32_t)strtoul(places, NULL, 10);
	mux.known = known_addresses_new(1);
	mux.ssh_has_room = ssh_has_room;
	mux.tls = on_tls;
	mux.ssh = on_ssh;
	mux.show_out = on_show_out;
	conductor.authorized_keys = argument[3];
	(void)uv_loop_init(&conductor.loop);
	if (port_mux_open(&conductor.mux, &conductor.loop, &mux, &err) < 0)
		return fail(&err);
	(void)printf("port %u\n", port_mux_port(conductor.mux));
	tunnels_start(&conductor.tunnels, &conductor.loop, &tunnels);
	(void)uv_signal_init(&conductor.loop, &conductor.terminated);
	(void)uv_signal_start(&conductor.terminated, on_terminated, SIGTERM);
	(void)uv_pipe_init(&conductor.loop, &conductor.input, 0);
	(void)uv_pipe_open(&conductor.input, STDIN_FILENO);
	(void)uv_read_start((uv_stream_t *)&conductor.input, on_alloc, on_input);
	(void)uv_run(&conductor.loop, UV_RUN_DEFAULT);
	known_addresses_free(mux.known);
	return uv_loop_close(&conductor.loop) < 0;
}

static int run_helper(char **argument)
{
	const struct tunnel_host_options options = {
		.user = argument[0],
		.directory = argument[1],
		.authorized_keys = argument[2],
		.sshd = TUNNEL_HOST_SSHD,
		.login_grace_s = TUNNEL_HOST_LOGIN_GRACE_S,
	};
	struct err err;

	return tunnel_host_run(&options, &err) < 0 ? fail(&err) : 0;
}

static void on_tunnel_up(struct tunnel *t)
{
	(void)t;
	(void)puts("connected");
}

static void on_tunnel_down(struct tunnel *t, const char *reason)
{
	(void)t;
	(void)printf("disconnected %s\n", reason);
}

static void on_tunnel_closed(struct tunnel *t)
{
	(void)t;
	(void)puts("closed");
}

static void on_router_terminated(uv_signal_t *signal, int number)
{
	(void)number;
	tunnel_close(signal->data, on_tunnel_closed);
	uv_close((uv_handle_t *)signal, NULL);
}

static int run_router(char **argument)
{
	static const struct tunnel_callbacks callbacks = {
		.connected = on_tunnel_up,
		.disconnected = on_tunnel_down,
	};
	const struct authorized_key host = read_key(argument[8], strlen(argument[8]));
	const struct span host_key = span_of(host.blob, sizeof(host.blob));
	const struct tunnel_options options = {
		.ssh = "ssh",
		.host = argument[0],
		.port = (uint16_t)strtoul(argument[1], NULL, 10),
		.user = argument[2],
		.key = argument[3],
		.known_hosts = argument[4],
		.host_keys = &host_key,
		.n_host_keys = 1,
		.kex = "sntrup761x25519-sha512@openssh.com",
		.listen_port = (uint16_t)strtoul(argument[5], NULL, 10),
		.socket = argument[6],
		.local_port = (uint16_t)strtoul(argument[7], NULL, 10),
		.repository_port = REPOSITORY_PORT,
	};
	static struct tunnel tunnel;
	uv_signal_t terminated = {.data = &tunnel};
	uv_loop_t loop;
	struct err err;

	(void)uv_loop_init(&loop);
	tunnel_init(&tunnel, &loop, &options, &callbacks);
	if (tunnel_start(&tunnel, &err) < 0)
		return fail(&err);
	(void)uv_signal_init(&loop, &terminated);
	(void)uv_signal_start(&terminated, on_router_terminated, SIGTERM);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) < 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	int rc = process_become_tied(argv);

	if (rc >= 0)
		return rc;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	log_open("tunnel_tool", true);
	if (strcmp(command, "helper") == 0 && argc == 5)
		return run_helper(argv + 2);
	if (strcmp(command, "conductor") == 0 && (argc == 6 || argc == 7))
		return run_conductor(argv + 2);
	if (strcmp(command, "router") == 0 && argc == 11)
		return run_router(argv + 2);
	(void)fputs("usage: tunnel_tool helper|conductor|router ...\n", stderr);
	return 64;
}
