/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/port_mux.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/macros.h"
#include "conductor/enrolment/admission.h"
#include "conductor/enrolment/port_lines.h"
#include "conductor/enrolment/port_listen.h"

#define TLS_FIRST_BYTE 0x16 /* a handshake record (RFC 8446, 5.1) */
#define SSH_FIRST_BYTE 'S'  /* "SSH-" (RFC 4253, 4.2) */

/* How many connections are accepted at once, before other events have their turn. */
#define ACCEPT_BATCH 64
#define TICK_MS      250

/* A mark in the data of an epoll event, whose lower half is a peer's ticket. With the mark the
 * peer is silent. Without it, the upper half is the line in which the peer waits. */
#define MARK_OF_SILENT (UINT64_C(1) << 63)

/* A peer that has sent nothing yet. Its ticket names its place in the array. */
struct silent_peer {
	int fd;
	admission_ticket ticket;
	struct sockaddr_storage address;
};

struct port_mux {
	struct port_mux_options options;
	struct port_mux_counts counts; /* counted here, apart from what the lines count */
	struct admission *admission;
	struct silent_peer *silent; /* options.silent_max */
	struct port_turns *lines[PORT_N_LINES];
	uv_loop_t *loop;
	int listener;
	/* One epoll descriptor for all silent and all waiting peers. So their sockets can be closed
	 * without a callback for each. */
	int epoll;
	uv_poll_t accepting;
	uv_poll_t watching;
	uv_timer_t tick;
	uv_timer_t turning;
	unsigned open_handles;
	void (*closed)(void *owner);
	void *closed_owner;
};

static void forget(struct silent_peer *peer)
{
	peer->fd = -1;
	peer->ticket = 0;
}

static void show_out_silent(struct port_mux *mux, admission_ticket ticket)
{
	struct silent_peer *peer = &mux->silent[admission_place(ticket)];

	port_turns_reset(peer->fd);
	forget(peer);
	mux->counts.silent++;
}

static void wait_for_first_byte(struct port_mux *mux, int fd,
				const struct sockaddr_storage *address)
{
	admission_ticket shown_out;
	admission_ticket ticket = admission_enter(mux->admission, uv_now(mux->loop), &shown_out);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = MARK_OF_SILENT | ticket};

	if (shown_out)
		show_out_silent(mux, shown_out);
	if (epoll_ctl(mux->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		mux->counts.accept_failures++;
		admission_leave(mux->admission, ticket);
		port_turns_reset(fd);
		return;
	}
	mux->silent[admission_place(ticket)] = (struct silent_peer){
		.fd = fd,
		.ticket = ticket,
		.address = *address,
	};
}

static bool is_out_of_room(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

/* If there is no descriptor for a newcomer, a silent peer is closed for it. Returns false if
 * there is no silent peer: then nothing is accepted until the next tick. */
static bool make_room(struct port_mux *mux)
{
	uint64_t since_ms;
	admission_ticket ticket = admission_oldest(mux->admission, &since_ms);

	mux->counts.accept_failures++;
	if (!ticket) {
		(void)uv_poll_stop(&mux->accepting);
		return false;
	}
	admission_leave(mux->admission, ticket);
	show_out_silent(mux, ticket);
	return true;
}

/* Returns 0, or a negative errno when there is no more for now. */
static int accept_one(struct port_mux *mux)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	int fd = accept4(mux->listener, (struct sockaddr *)&address, &size,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EAGAIN || is_out_of_room(errno)))
		return -errno;
	if (fd < 0) /* the error is of that connection alone, see accept(2) */
		return 0;
	if (admission_admit(mux->admission, (struct sockaddr *)&address, uv_now(mux->loop))) {
		wait_for_first_byte(mux, fd, &address);
	} else {
		mux->counts.refused++;
		port_turns_reset(fd);
	}
	return 0;
}

static void on_acceptable(uv_poll_t *handle, int status, int events)
{
	struct port_mux *mux = container_of(handle, struct port_mux, accepting);
	int rc = accept_one(mux);

	(void)status; /* of poll(2): accept says what it is */
	(void)events;
	/* Only here, after poll(2), is it sure that a connection waits: when no descriptor is free,
	 * accept(2) fails without looking. */
	if (is_out_of_room(-rc) && make_room(mux)) {
		(void)accept_one(mux);
		return;
	}
	for (unsigned i = 1; rc == 0 && i < ACCEPT_BATCH; i++)
		rc = accept_one(mux);
}

static void let_wait(struct port_mux *mux, const struct silent_peer *peer, enum port_line line)
{
	port_turns_come(mux->lines[line], peer->fd, &peer->address, uv_now(mux->loop));
	port_mux_look(mux);
}

static void look_at_first_byte(struct port_mux *mux, admission_ticket ticket)
{
	struct silent_peer *place = &mux->silent[admission_place(ticket)];
	struct silent_peer peer = *place;
	uint8_t first = 0;
	ssize_t n;

	if (peer.ticket != ticket) /* it was closed in this same round */
		return;
	n = recv(peer.fd, &first, 1, MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	(void)epoll_ctl(mux->epoll, EPOLL_CTL_DEL, peer.fd, NULL);
	admission_leave(mux->admission, ticket);
	forget(place);
	if (n == 1 && first == TLS_FIRST_BYTE) {
		let_wait(mux, &peer, PORT_TLS);
	} else if (n == 1 && first == SSH_FIRST_BYTE) {
		let_wait(mux, &peer, PORT_SSH);
	} else {
		mux->counts.garbage++;
		port_turns_reset(peer.fd);
	}
}

static void on_spoken(uv_poll_t *handle, int status, int events)
{
	struct port_mux *mux = container_of(handle, struct port_mux, watching);
	struct epoll_event spoken[ACCEPT_BATCH];
	int n = epoll_wait(mux->epoll, spoken, N_ELEMENTS(spoken), 0);

	(void)status;
	(void)events;
	for (int i = 0; i < n; i++) {
		uint64_t mark = spoken[i].data.u64;

		if (mark & MARK_OF_SILENT)
			look_at_first_byte(mux, (admission_ticket)mark);
		else
			port_turns_hung_up(mux->lines[mark >> 32], (turns_ticket)mark);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct port_mux *mux = container_of(timer, struct port_mux, tick);
	admission_ticket ticket;
	uint64_t since_ms;

	while ((ticket = admission_oldest(mux->admission, &since_ms)) != 0 &&
	       uv_now(mux->loop) - since_ms >= mux->options.silence_ms) {
		admission_leave(mux->admission, ticket);
		show_out_silent(mux, ticket);
	}
	if (!uv_is_active((uv_handle_t *)&mux->accepting))
		(void)uv_poll_start(&mux->accepting, UV_READABLE, on_acceptable);
}

static void on_turning(uv_timer_t *timer)
{
	struct port_mux *mux = container_of(timer, struct port_mux, turning);
	bool somebody_waits = false;

	for (unsigned line = 0; line < PORT_N_LINES; line++)
		somebody_waits |= port_turns_go_on(mux->lines[line], uv_now(mux->loop));
	if (somebody_waits && !uv_is_closing((uv_handle_t *)timer))
		(void)uv_timer_start(timer, on_turning, TURNS_LOOK_MS, 0);
}

void port_mux_look(struct port_mux *mux)
{
	const uv_handle_t *handle = (uv_handle_t *)&mux->turning;

	if (!uv_is_closing(handle) &&
	    (!uv_is_active(handle) || uv_timer_get_due_in(&mux->turning) > 1))
		(void)uv_timer_start(&mux->turning, on_turning, 1, 0);
}

static void free_mux(struct port_mux *mux)
{
	if (mux->listener >= 0)
		(void)close(mux->listener);
	if (mux->epoll >= 0)
		(void)close(mux->epoll);
	for (unsigned line = 0; line < PORT_N_LINES; line++)
		port_turns_free(mux->lines[line]);
	admission_free(mux->admission);
	free(mux->silent);
	free(mux);
}

static void free_muxp(struct port_mux **mux)
{
	if (*mux)
		free_mux(*mux);
}

static int make_tables(struct port_mux *mux, struct err *err)
{
	struct admission_options options = {
		.silent_places = mux->options.silent_max,
		.rate_per_s = mux->options.rate_per_s,
		.burst = mux->options.burst,
	};

	mux->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (mux->epoll < 0)
		return err_set_errno(err, -errno, "epoll");
	if (RAND_bytes((unsigned char *)&options.seed, sizeof(options.seed)) != 1)
		return err_set(err, -EIO, "no random numbers");
	mux->admission = admission_new(&options);
	mux->silent = calloc(mux->options.silent_max, sizeof(*mux->silent));
	port_lines_make(&mux->options, mux->epoll, mux->lines);
	for (uint32_t i = 0; mux->silent && i < mux->options.silent_max; i++)
		forget(&mux->silent[i]);
	if (!mux->admission || !mux->silent || !mux->lines[PORT_TLS] || !mux->lines[PORT_SSH])
		return err_set_errno(err, -ENOMEM, "tables of port %u", mux->options.port);
	return 0;
}

static int start_handles(struct port_mux *mux, struct err *err)
{
	int rc;

	rc = uv_poll_init(mux->loop, &mux->accepting, mux->listener);
	if (rc < 0)
		return err_set_errno(err, rc, "poll the listener");
	mux->open_handles = 4;
	(void)uv_timer_init(mux->loop, &mux->tick);
	(void)uv_timer_init(mux->loop, &mux->turning);
	(void)uv_poll_init(mux->loop, &mux->watching, mux->epoll);
	(void)uv_poll_start(&mux->accepting, UV_READABLE, on_acceptable);
	(void)uv_poll_start(&mux->watching, UV_READABLE, on_spoken);
	(void)uv_timer_start(&mux->tick, on_tick, TICK_MS, TICK_MS);
	return 0;
}

int port_mux_open(struct port_mux **ret, uv_loop_t *loop, const struct port_mux_options *options,
		  struct err *err)
{
	_cleanup_(free_muxp) struct port_mux *mux = calloc(1, sizeof(*mux));
	int rc;

	if (!mux)
		return err_set_errno(err, -ENOMEM, "open port %u", options->port);
	mux->options = *options;
	mux->loop = loop;
	mux->listener = mux->epoll = -1;
	rc = make_tables(mux, err);
	if (rc == 0)
		rc = port_listen(options->address, options->port, &mux->listener, err);
	if (rc == 0)
		rc = start_handles(mux, err);
	if (rc < 0)
		return rc;
	*ret = mux;
	mux = NULL;
	return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct port_mux *mux = handle->data;
	void (*closed)(void *owner) = mux->closed;
	void *owner = mux->closed_owner;

	if (--mux->open_handles > 0)
		return;
	free_mux(mux);
	closed(owner);
}

void port_mux_close(struct port_mux *mux, void (*closed)(void *owner), void *owner)
{
	mux->closed = closed;
	mux->closed_owner = owner;
	for (uint32_t i = 0; i < mux->options.silent_max; i++) {
		if (mux->silent[i].fd >= 0)
			port_turns_reset(mux->silent[i].fd);
		forget(&mux->silent[i]);
	}
	mux->accepting.data = mux->watching.data = mux->tick.data = mux->turning.data = mux;
	uv_close((uv_handle_t *)&mux->accepting, on_handle_closed);
	uv_close((uv_handle_t *)&mux->watching, on_handle_closed);
	uv_close((uv_handle_t *)&mux->tick, on_handle_closed);
	uv_close((uv_handle_t *)&mux->turning, on_handle_closed);
}

void port_mux_finished(struct port_mux *mux, enum port_line line, turns_ticket ticket)
{
	if (port_turns_finished(mux->lines[line], ticket, uv_now(mux->loop)))
		port_mux_look(mux);
}

bool port_mux_through(struct port_mux *mux, enum port_line line, turns_ticket ticket)
{
	struct sockaddr_storage address;

	if (!port_turns_through(mux->lines[line], ticket, uv_now(mux->loop), &address))
		return false;
	port_mux_look(mux);
	return line == PORT_SSH && mux->options.known &&
	       known_addresses_add(mux->options.known, (const struct sockaddr *)&address,
				   known_addresses_today());
}

void port_mux_forget_ssh(struct port_mux *mux)
{
	port_turns_forget(mux->lines[PORT_SSH]);
}

uint16_t port_mux_port(const struct port_mux *mux)
{
	return port_listened(mux->listener);
}

struct port_mux_counts port_mux_counts(const struct port_mux *mux)
{
	const struct port_turns_counts *tls = port_turns_counts(mux->lines[PORT_TLS]);
	const struct port_turns_counts *ssh = port_turns_counts(mux->lines[PORT_SSH]);
	struct port_mux_counts counts = mux->counts;

	counts.tls = tls->came;
	counts.tls_shown_out = tls->shown_out;
	counts.tls_turned_away = tls->turned_away;
	counts.ssh = ssh->came;
	counts.ssh_shown_out = ssh->shown_out;
	counts.ssh_turned_away = ssh->turned_away;
	return counts;
}

uint32_t port_mux_silent(const struct port_mux *mux)
{
	return admission_count(mux->admission);
}

uint32_t port_mux_waiting(const struct port_mux *mux, enum port_line line)
{
	return port_turns_waiting(mux->lines[line]);
}

uint32_t port_mux_begun(const struct port_mux *mux, enum port_line line)
{
	return port_turns_begun(mux->lines[line]);
}
