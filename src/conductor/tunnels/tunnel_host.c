/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/tunnel_host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <systemd/sd-daemon.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "conductor/tunnels/host_key.h"
#include "conductor/tunnels/lowered_user.h"
#include "conductor/tunnels/private_network.h"
#include "conductor/tunnels/sshd_config.h"
#include "conductor/tunnels/tunnel_desk.h"

#define STARTED_BY_FD SD_LISTEN_FDS_START

/* How long to wait before accepting again when no descriptor is free. */
#define ACCEPT_PAUSE_MS 250

/*             accept, or from the start          broken
 *  WAITING ─────────────────────────▶ SERVING ───────────▶ LEAVING ─▶ WAITING, if systemd listens
 *     └─────────────── SIGTERM ──────────┴──────────────▶ CLOSING ◀─┘ else
 */
enum host_state {
	HOST_WAITING, /* for a conductord */
	HOST_SERVING, /* one */
	HOST_LEAVING, /* its sessions end */
	HOST_CLOSING,
};

struct host {
	enum host_state state;
	uv_loop_t loop;
	int listener;        /* -1 = conductord started us */
	uv_poll_t accepting; /* unless -1 */
	uv_timer_t pause;    /* likewise */
	uv_signal_t terminated;
	struct tunnel_desk desk;
	struct host_keys host_keys;
};

static void set_state(struct host *h, enum host_state state)
{
	static const char *const names[] = {"waiting", "serving", "leaving", "closing"};
	static const unsigned allowed[] = {
		[HOST_WAITING] = 1u << HOST_SERVING | 1u << HOST_CLOSING,
		[HOST_SERVING] = 1u << HOST_LEAVING | 1u << HOST_CLOSING,
		[HOST_LEAVING] = 1u << HOST_WAITING | 1u << HOST_CLOSING,
		[HOST_CLOSING] = 0,
	};

	assert(allowed[h->state] & 1u << state);
	log_debug("tunnels: %s, was %s", names[state], names[h->state]);
	h->state = state;
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

/* The sessions of the conductord that left have ended. */
static void on_emptied(struct tunnel_desk *d)
{
	struct host *h = container_of(d, struct host, desk);

	if (h->state != HOST_LEAVING)
		return;
	if (h->listener >= 0) {
		set_state(h, HOST_WAITING);
		(void)uv_poll_start(&h->accepting, UV_READABLE, on_acceptable);
	} else {
		set_state(h, HOST_CLOSING);
		uv_close((uv_handle_t *)&h->terminated, NULL);
	}
}

static void on_gone(struct tunnel_desk *d)
{
	set_state(container_of(d, struct host, desk), HOST_LEAVING);
	tunnel_desk_leave(d);
}

static int serve(struct host *h, int fd)
{
	int rc = tunnel_desk_open(&h->desk, fd, &h->host_keys);

	if (rc == 0)
		set_state(h, HOST_SERVING);
	return rc;
}

static void on_paused(uv_timer_t *timer)
{
	struct host *h = container_of(timer, struct host, pause);

	(void)uv_poll_start(&h->accepting, UV_READABLE, on_acceptable);
}

/* If accept(2) fails for want of a descriptor or memory, the connection keeps waiting, and
 * poll(2) would report it without end: so we pause. */
static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct host *h = container_of(poll, struct host, accepting);
	int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)status;
	(void)events;
	if (fd < 0 || serve(h, fd) == 0)
		(void)uv_poll_stop(poll);
	if (fd < 0)
		(void)uv_timer_start(&h->pause, on_paused, ACCEPT_PAUSE_MS, 0);
}

static void on_terminated(uv_signal_t *signal, int number)
{
	struct host *h = container_of(signal, struct host, terminated);
	bool leaving = h->state == HOST_LEAVING;

	(void)number;
	set_state(h, HOST_CLOSING);
	uv_close((uv_handle_t *)&h->terminated, NULL);
	if (h->listener >= 0) {
		uv_close((uv_handle_t *)&h->accepting, NULL);
		uv_close((uv_handle_t *)&h->pause, NULL);
	}
	if (!leaving)
		tunnel_desk_leave(&h->desk);
}

/* The loop ends with its last handle. */
static int serve_until_closed(struct host *h, struct err *err)
{
	int rc = uv_loop_init(&h->loop);

	if (rc < 0)
		return err_set_errno(err, rc, "start the loop");
	(void)uv_signal_init(&h->loop, &h->terminated);
	(void)uv_signal_start(&h->terminated, on_terminated, SIGTERM);
	if (h->listener >= 0) {
		(void)uv_timer_init(&h->loop, &h->pause);
		rc = uv_poll_init(&h->loop, &h->accepting, h->listener);
		if (rc == 0)
			rc = uv_poll_start(&h->accepting, UV_READABLE, on_acceptable);
	} else {
		rc = serve(h, STARTED_BY_FD);
	}
	if (rc < 0)
		return err_set_errno(err, rc, "serve on descriptor %d", STARTED_BY_FD);
	(void)uv_run(&h->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&h->loop) < 0)
		assert(!"every handle is closed");
	return 0;
}

/* Who started us: see the header. */
static int find_listener(int *ret, struct err *err)
{
	bool by_systemd = sd_listen_fds(1) > 0;

	if (sd_is_socket(STARTED_BY_FD, AF_UNIX, SOCK_SEQPACKET, by_systemd) <= 0)
		return err_set(err, -ENOTSOCK,
			       "descriptor %d is not the socket that conductord or systemd gives",
			       STARTED_BY_FD);
	if (fcntl(STARTED_BY_FD, F_SETFD, FD_CLOEXEC) < 0)
		return err_set_errno(err, -errno, "keep descriptor %d to ourselves", STARTED_BY_FD);
	*ret = by_systemd ? STARTED_BY_FD : -1;
	return 0;
}

/* Each session needs a descriptor, so the limit is raised as far as it may be. */
static void allow_all_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Moves into the private network, and gives up the privileges that nothing after it needs. */
static int move_in(const struct tunnel_host_options *options, bool by_systemd, struct err *err)
{
	int rc;

	if (by_systemd)
		return private_network_check(err);
	rc = private_network_enter(err);
	if (rc < 0)
		return rc;
	return lowered_user_become(options->user, options->directory, err);
}

/* What somebody put there by a mistake is to end no tunnel. */
static void read_next(const char *path, struct host_keys *keys)
{
	struct err err;

	if (host_key_read_next(path, keys, &err) < 0)
		log_event(LOG_CONFIGURATION_WARNING, &(struct log_fields){.reason = err.text},
			  "routers are not told of the next SSH host key: %s", err.text);
}

/* A router asks sshd for localhost, as its key's restrictions name it, and sshd looks that up each
 * time. */
static void warn_of_localhost(void)
{
	struct err err;

	if (private_network_check_localhost(&err) < 0)
		log_event(LOG_CONFIGURATION_WARNING, &(struct log_fields){.reason = err.text},
			  "routers get no images through their tunnels: %s: there must be "
			  "\"127.0.0.1 localhost\" in /etc/hosts",
			  err.text);
}

int tunnel_host_run(const struct tunnel_host_options *options, struct err *err)
{
	char host_key[PATH_MAX];
	char config[PATH_MAX];
	struct host h = {
		.desk = {.gone = on_gone, .emptied = on_emptied},
	};
	const struct tunnel_sessions sessions = {
		.loop = &h.loop,
		.sshd = options->sshd,
		.config = config,
		.user = options->user,
	};
	char kex[SSH_KEX_ALGORITHMS_SIZE] = "";
	const struct ssh_kex_order all = {{0}};
	struct sshd_config sshd = {
		.kex = kex,
		.user = options->user,
		.host_key = host_key,
		.authorized_keys = options->authorized_keys,
		.login_grace_s = options->login_grace_s,
	};
	int rc;

	if ((size_t)snprintf(host_key, sizeof(host_key), "%s/ssh_host_ed25519_key",
			     options->directory) >= sizeof(host_key))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", options->directory);
	(void)snprintf(config, sizeof(config), "%s/sshd_config", options->directory);
	tunnel_desk_init(&h.desk, &sessions);
	allow_all_descriptors();
	rc = find_listener(&h.listener, err);
	if (rc == 0)
		rc = move_in(options, h.listener >= 0, err);
	sshd.reads_keys_itself = !sshd_config_may_look_up();
	if (rc == 0)
		warn_of_localhost();
	if (rc == 0)
		rc = host_key_ensure(host_key, h.host_keys.now, err);
	if (rc == 0)
		read_next(host_key, &h.host_keys);
	if (rc == 0)
		rc = ssh_kex_ask(&h.desk.sessions.kex_names, err);
	if (rc == 0)
		rc = ssh_kex_algorithms(&all, h.desk.sessions.kex_names, kex, err);
	if (rc == 0)
		rc = sshd_config_write(config, &sshd, err);
	if (rc == 0)
		rc = serve_until_closed(&h, err);
	return rc;
}
