/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/port_turns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* netinet's tcp_info ends before the counts of bytes */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/macros.h"

/* A peer, at the place that its ticket names. */
struct peer {
	int fd; /* the connection, while the peer waits; a duplicate of its descriptor, once it has
		   its turn */
	turns_ticket ticket;
	struct sockaddr_storage address;
};

struct port_turns {
	struct port_turns_options options;
	struct port_turns_counts counts;
	struct turns *turns;
	struct peer *peers;
	uint32_t n_peers;
	int spare; /* a descriptor for the next who has its turn; -1 = none could be had */
	uint64_t observed_ms; /* when all who have their turn were looked at */
};

void port_turns_reset(int fd)
{
	const struct linger linger = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	(void)close(fd);
}

static void forget(struct peer *peer)
{
	peer->fd = -1;
	peer->ticket = 0;
}

static void take_spare(struct port_turns *p)
{
	if (p->spare < 0)
		p->spare = fcntl(p->options.epoll, F_DUPFD_CLOEXEC, 0);
}

struct port_turns *port_turns_new(const struct port_turns_options *options)
{
	struct port_turns *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->options = *options;
	p->spare = -1;
	p->n_peers = options->turns.places + options->turns.waiting;
	p->turns = turns_new(&options->turns);
	p->peers = calloc(p->n_peers, sizeof(*p->peers));
	for (uint32_t i = 0; p->peers && i < p->n_peers; i++)
		forget(&p->peers[i]);
	if (!p->turns || !p->peers) {
		port_turns_free(p);
		return NULL;
	}
	take_spare(p);
	return p;
}

/* Returns NULL if the ticket is not valid any more. */
static struct peer *peer_of(const struct port_turns *p, turns_ticket ticket)
{
	uint32_t at = turns_place(ticket);

	return ticket != 0 && at < p->n_peers && p->peers[at].ticket == ticket ? &p->peers[at]
									       : NULL;
}

void port_turns_free(struct port_turns *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; p->peers && i < p->n_peers; i++) {
		struct peer *peer = &p->peers[i];

		if (peer->fd >= 0 && turns_has_begun(p->turns, peer->ticket))
			(void)close(peer->fd);
		else if (peer->fd >= 0)
			port_turns_reset(peer->fd);
	}
	if (p->spare >= 0)
		(void)close(p->spare);
	turns_free(p->turns);
	free(p->peers);
	free(p);
}

/* Watches a peer that waits, only to notice that it has closed. Nothing is read. Closing the
 * descriptor ends the watching. */
static bool watch(const struct port_turns *p, const struct peer *peer)
{
	struct epoll_event event = {
		.events = EPOLLRDHUP,
		.data.u64 = p->options.epoll_mark | peer->ticket,
	};

	return epoll_ctl(p->options.epoll, EPOLL_CTL_ADD, peer->fd, &event) == 0;
}

static void turn_away(struct port_turns *p, turns_ticket ticket)
{
	struct peer *peer = peer_of(p, ticket);

	p->counts.turned_away++;
	turns_leave(p->turns, ticket);
	port_turns_reset(peer->fd);
	forget(peer);
}

void port_turns_come(struct port_turns *p, int fd, const struct sockaddr_storage *address,
		     uint64_t now_ms)
{
	bool is_known = p->options.known &&
			known_addresses_has(p->options.known, (const struct sockaddr *)address,
					    known_addresses_today());
	turns_ticket shown_out;
	turns_ticket ticket =
		turns_wait(p->turns, is_known ? TURNS_KNOWN : TURNS_STRANGER, now_ms, &shown_out);
	struct peer *peer = &p->peers[turns_place(ticket)];

	p->counts.came++;
	if (shown_out)
		turn_away(p, shown_out);
	if (!ticket) {
		p->counts.turned_away++;
		port_turns_reset(fd);
		return;
	}
	*peer = (struct peer){.fd = fd, .ticket = ticket, .address = *address};
	if (!watch(p, peer))
		turn_away(p, ticket);
}

void port_turns_hung_up(struct port_turns *p, turns_ticket ticket)
{
	struct peer *peer = peer_of(p, ticket);

	if (!peer || turns_has_begun(p->turns, ticket))
		return;
	turns_leave(p->turns, ticket);
	port_turns_reset(peer->fd);
	forget(peer);
}

static void end_turn(struct port_turns *p, struct peer *peer)
{
	turns_leave(p->turns, peer->ticket);
	(void)close(peer->fd);
	forget(peer);
}

static void show_out(struct port_turns *p, struct peer *peer)
{
	turns_ticket ticket = peer->ticket;

	p->counts.shown_out++;
	(void)shutdown(peer->fd, SHUT_RDWR);
	end_turn(p, peer);
	p->options.show_out(p->options.owner, ticket);
}

/* If the kernel does not report the counts, they stay as they were, which means no progress. */
static struct turns_sample look_at(int fd)
{
	struct turns_sample sample = {0};
	struct tcp_info tcp = {0};
	socklen_t size = sizeof(tcp);
	int unread = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &size) == 0) {
		sample.sent = tcp.tcpi_bytes_sent;
		sample.received = tcp.tcpi_bytes_received;
		sample.round_trip_ms = tcp.tcpi_rtt / 1000;
	}
	if (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0)
		sample.unread = (uint32_t)unread;
	return sample;
}

static void observe(struct port_turns *p, uint64_t now_ms)
{
	p->observed_ms = now_ms;
	for (uint32_t i = 0; i < p->n_peers; i++) {
		struct peer *peer = &p->peers[i];
		struct turns_sample sample;

		if (peer->fd < 0 || !turns_has_begun(p->turns, peer->ticket))
			continue;
		sample = look_at(peer->fd);
		if (!turns_observe(p->turns, peer->ticket, &sample, now_ms))
			show_out(p, peer);
	}
}

static void begin_turn(struct port_turns *p, turns_ticket ticket)
{
	struct peer *peer = peer_of(p, ticket);
	int fd = peer->fd;

	(void)epoll_ctl(p->options.epoll, EPOLL_CTL_DEL, fd, NULL);
	peer->fd = p->spare;
	p->spare = -1;
	(void)dup3(fd, peer->fd, O_CLOEXEC); /* cannot fail, since both descriptors are open */
	p->options.begin(p->options.owner, fd, (const struct sockaddr *)&peer->address, ticket);
}

/* Asks the owner to close a peer that has stalled as far as the kernel knows. The owner may know
 * better. */
static void ask_to_go(struct port_turns *p, turns_ticket ticket, uint64_t now_ms)
{
	if (p->options.is_busy && p->options.is_busy(p->options.owner, ticket))
		turns_progress(p->turns, ticket, now_ms);
	else
		show_out(p, peer_of(p, ticket));
}

static bool can_take_one(struct port_turns *p)
{
	if (p->options.has_room && !p->options.has_room(p->options.owner))
		return false;
	take_spare(p);
	return p->spare >= 0;
}

/* A look takes two system calls for each peer. Where turns are not limited by CPU it only tells who
 * has stalled, so it need not be taken for each newcomer. */
static bool must_observe(const struct port_turns *p, uint64_t now_ms)
{
	return p->options.turns.cores > 0 || now_ms - p->observed_ms >= TURNS_LOOK_MS;
}

bool port_turns_go_on(struct port_turns *p, uint64_t now_ms)
{
	struct turns_move move;
	turns_ticket overdue;

	if (turns_waiting(p->turns) == 0)
		return false;
	if (must_observe(p, now_ms))
		observe(p, now_ms);
	while (can_take_one(p) && turns_next(p->turns, now_ms, &move)) {
		if (move.begins)
			begin_turn(p, move.begins);
		else if (p->observed_ms != now_ms) /* nobody goes by what was seen earlier */
			observe(p, now_ms);
		else
			ask_to_go(p, move.shown_out, now_ms);
	}
	while ((overdue = turns_overdue(p->turns, now_ms)) != 0)
		turn_away(p, overdue);
	return turns_waiting(p->turns) > 0;
}

/* Looks once more at a peer whose turn ends. Returns NULL if it had no turn. */
static struct peer *look_at_last(struct port_turns *p, turns_ticket ticket, uint64_t now_ms)
{
	struct peer *peer = peer_of(p, ticket);
	struct turns_sample sample;

	if (!peer || !turns_has_begun(p->turns, ticket))
		return NULL;
	sample = look_at(peer->fd);
	(void)turns_observe(p->turns, ticket, &sample, now_ms);
	return peer;
}

bool port_turns_finished(struct port_turns *p, turns_ticket ticket, uint64_t now_ms)
{
	struct peer *peer = look_at_last(p, ticket, now_ms);

	if (!peer)
		return false;
	turns_over(p->turns, ticket, now_ms);
	end_turn(p, peer);
	return true;
}

bool port_turns_through(struct port_turns *p, turns_ticket ticket, uint64_t now_ms,
			struct sockaddr_storage *ret_address)
{
	struct peer *peer = look_at_last(p, ticket, now_ms);

	if (!peer)
		return false;
	*ret_address = peer->address;
	turns_through(p->turns, ticket, now_ms);
	end_turn(p, peer);
	return true;
}

void port_turns_forget(struct port_turns *p)
{
	for (uint32_t i = 0; i < p->n_peers; i++)
		if (p->peers[i].fd >= 0 && turns_has_begun(p->turns, p->peers[i].ticket))
			end_turn(p, &p->peers[i]);
}

const struct port_turns_counts *port_turns_counts(const struct port_turns *p)
{
	return &p->counts;
}

uint32_t port_turns_waiting(const struct port_turns *p)
{
	return turns_waiting(p->turns);
}

uint32_t port_turns_begun(const struct port_turns *p)
{
	return turns_begun(p->turns);
}
