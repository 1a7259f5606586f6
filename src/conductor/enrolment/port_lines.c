/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/port_lines.h"

#include <uv.h>

/* How many peers may wait in each line, beside those whose turn it is. */
#define WAITING_MAX 1024

/* How many SSH logins a second we expect of one core until we have measured it. A login costs
 * sshd 20 ms (docs/scale.md), and everything else as much again. */
#define PACE_A_CORE 16

/* sshd itself ends a connection that has not authenticated in time, and we are told of it. So our
 * own limit comes a little later. */
#define TURN_RESERVE_MS 10000

/* The same for TLS: a handshake costs 1 ms on the thread pool. */
#define TLS_PACE 256

#define MARK_OF_LINE(line) ((uint64_t)(line) << 32)

static void begin_tls(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	const struct port_mux_options *options = owner;

	options->tls(options->owner, fd, peer, ticket);
}

static void begin_ssh(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	const struct port_mux_options *options = owner;

	options->ssh(options->owner, fd, peer, ticket);
}

static void show_out_tls(void *owner, turns_ticket ticket)
{
	const struct port_mux_options *options = owner;

	options->show_out(options->owner, PORT_TLS, ticket);
}

static void show_out_ssh(void *owner, turns_ticket ticket)
{
	const struct port_mux_options *options = owner;

	options->show_out(options->owner, PORT_SSH, ticket);
}

static bool ssh_has_room(void *owner)
{
	const struct port_mux_options *options = owner;

	return !options->ssh_has_room || options->ssh_has_room(options->owner);
}

static bool tls_is_busy(void *owner, turns_ticket ticket)
{
	const struct port_mux_options *options = owner;

	return options->tls_is_busy && options->tls_is_busy(options->owner, ticket);
}

static struct port_turns *make_tls(struct port_turns_options options, uint32_t places)
{
	options.turns = (struct turns_options){
		.places = places,
		.waiting = WAITING_MAX,
		.pace_per_s = TLS_PACE,
	};
	options.epoll_mark = MARK_OF_LINE(PORT_TLS);
	options.begin = begin_tls;
	options.show_out = show_out_tls;
	options.is_busy = tls_is_busy;
	return port_turns_new(&options);
}

static struct port_turns *make_ssh(struct port_turns_options options,
				   const struct port_mux_options *mux)
{
	const uint32_t cores = uv_available_parallelism();

	options.turns = (struct turns_options){
		.places = mux->ssh_max,
		.waiting = WAITING_MAX,
		.turn_ms = mux->ssh_timeout_ms + TURN_RESERVE_MS,
		.cores = cores,
		.we_speak_first = true,
		.pace_per_s = PACE_A_CORE * cores,
	};
	options.epoll_mark = MARK_OF_LINE(PORT_SSH);
	options.begin = begin_ssh;
	options.show_out = show_out_ssh;
	options.has_room = ssh_has_room;
	return port_turns_new(&options);
}

void port_lines_make(struct port_mux_options *options, int epoll,
		     struct port_turns *ret[PORT_N_LINES])
{
	const struct port_turns_options both = {
		.epoll = epoll,
		.known = options->known,
		.owner = options,
	};

	ret[PORT_TLS] = make_tls(both, options->tls_max);
	ret[PORT_SSH] = make_ssh(both, options);
}
