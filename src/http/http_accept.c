/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is connected: accepted here, counted by crowd.c, and given to libmicrohttpd; shown out by
 * shutdown(2), upon which libmicrohttpd closes it.
 *
 * A connection that cannot be accepted for want of descriptors is accepted with a spare one: it is
 * for somebody who must get in, or it is told to come back later. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "http/http_server_private.h"

#define ACCEPT_BATCH 64 /* at once, before others on the loop have their turn */

/* If not even the spare descriptor is free, how long until we try to accept again. */
#define RETRY_MS 100

#define GRACE_MS    250
#define PATIENCE_MS 5000

/* How many connections of one peer may wait here, besides those in the kernel's queue. */
#define WAITING_MAX 16

/* The answer to a connection that is turned away (RFC 9457). */
#define BUSY                                                                                       \
	"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"              \
	"\"detail\":\"too many connections of one peer\"}"
#define BUSY_LENGTH "109"

static void on_due(uv_timer_t *timer);
static void on_acceptable(uv_poll_t *poll, int status, int events);

void http_peer_read(int fd, struct http_peer *ret, gid_t groups[GROUPS_MAX])
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	socklen_t groups_size = (GROUPS_MAX - 1) * sizeof(gid_t);
	int domain = 0;
	socklen_t domain_size = sizeof(domain);

	memset(ret, 0, sizeof(*ret));
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) < 0 || domain != AF_UNIX)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return;
	ret->is_local = true;
	ret->uid = credentials.uid;
	ret->pid = credentials.pid;
	groups[0] = credentials.gid;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &groups_size) < 0)
		groups_size = 0;
	ret->groups = groups;
	ret->n_groups = 1 + groups_size / sizeof(gid_t);
}

static enum crowd_rank rank_of(const struct http_listener *listener, const struct http_peer *peer)
{
	if (!listener->allows)
		return CROWD_GUEST;
	if (listener->allows(listener->owner, peer, HTTP_CHANGES))
		return CROWD_TRUSTED;
	return listener->allows(listener->owner, peer, HTTP_READS) ? CROWD_GUEST : CROWD_STRANGER;
}

/* The origin of an IPv4 address is the address, mapped to IPv6; that of an IPv6 address is its
 * /64. */
static struct crowd_origin origin_of_address(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	struct crowd_origin origin = {{0, 0}};

	if (address->ss_family == AF_INET)
		origin.key[1] = v4->sin_addr.s_addr;
	else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		memcpy(&origin.key[1], v6->sin6_addr.s6_addr + 12, 4);
	else if (address->ss_family == AF_INET6)
		memcpy(&origin.key[0], &v6->sin6_addr, 8);
	return origin;
}

static struct crowd_origin origin_of(const struct http_listener *listener,
				     const struct http_peer *peer, enum crowd_rank rank,
				     const struct sockaddr_storage *address)
{
	if (listener->counted == HTTP_TOGETHER)
		return (struct crowd_origin){{0, 0}};
	if (!peer->is_local)
		return origin_of_address(address);
	if (listener->counted == HTTP_BY_PROCESS && rank == CROWD_TRUSTED)
		return (struct crowd_origin){{1, (uint64_t)peer->pid}};
	return (struct crowd_origin){{0, peer->uid}};
}

/* Connections may take a quarter of all descriptors, since requests need others. */
static uint32_t places_of(const struct http_listener *listener)
{
	const uint32_t places = listener->connections_max ?: HTTP_CONNECTIONS_MAX;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return places;
	return (uint32_t)MAX(MIN(places, limit.rlim_cur / 4), 4);
}

struct crowd *http_accept_crowd(const struct http_listener *listener)
{
	const uint32_t places = places_of(listener);
	const bool together = listener->counted == HTTP_TOGETHER;
	const uint32_t quarter = MAX(places / 4, 1);
	const struct crowd_limits limits = {
		.places = places,
		.strangers = quarter,
		.reserve = listener->allows ? places / 4 : 0,
		.each = {[CROWD_STRANGER] = quarter,
			 [CROWD_GUEST] = together ? places : quarter,
			 [CROWD_TRUSTED] = MAX(places / 2, 1)},
		.waiting = {[CROWD_STRANGER] = WAITING_MAX,
			    [CROWD_GUEST] = WAITING_MAX,
			    [CROWD_TRUSTED] = places},
		.waiting_others = MAX(quarter, WAITING_MAX),
		.streams = MAX(places / 8, 1),
		.grace_ms = GRACE_MS,
		.patience_ms = PATIENCE_MS,
		.idle_ms = 1000 * (listener->idle_s ?: HTTP_IDLE_S),
		.all_wait = together,
	};

	return crowd_new(&limits);
}

static struct http_connection *connection_of(struct crowd_member *m)
{
	return container_of(m, struct http_connection, member);
}

/* libmicrohttpd does not have this connection yet. We do not read what the peer has sent: over
 * TCP it may therefore lose the answer. */
static void turn_away(struct http_connection *from)
{
	static const char answer[] =
		"HTTP/1.1 503 Service Unavailable\r\n"
		"Content-Type: application/problem+json\r\nContent-Length: " BUSY_LENGTH "\r\n"
		"Retry-After: 1\r\nConnection: close\r\n\r\n" BUSY;

	static_assert(sizeof(BUSY) - 1 == 109, "BUSY_LENGTH says another");
	(void)send(from->fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)close(from->fd);
	free(from);
}

static void show_out(struct http_server *server, struct http_connection *from)
{
	if (from->has_entered)
		(void)shutdown(from->fd, SHUT_RDWR);
	else
		turn_away(from);
	http_server_kick(server);
}

void http_accept_notify(void *user, struct MHD_Connection *connection, void **context,
			enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = user;
	struct http_connection *from = *context;

	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = server->entering;
		server->entering = NULL;
	} else {
		crowd_leave(server->crowd, &from->member);
		free(from);
		*context = NULL;
	}
}

static void enter(struct http_server *server, struct http_connection *from)
{
	from->has_entered = true;
	server->entering = from;
	(void)MHD_add_connection(server->daemon, from->fd, (struct sockaddr *)&from->address,
				 from->address_size);
	if (server->entering) { /* libmicrohttpd had no memory for it, and has closed it */
		server->entering = NULL;
		crowd_leave(server->crowd, &from->member);
		free(from);
	}
	http_server_kick(server);
}

static void keep_spare(struct http_server *server)
{
	if (server->spare < 0)
		server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_if(struct http_server *server, bool may)
{
	if (may && !server->is_accepting)
		(void)uv_poll_start(&server->accepting, UV_READABLE, on_acceptable);
	else if (!may && server->is_accepting)
		(void)uv_poll_stop(&server->accepting);
	server->is_accepting = may;
}

void http_accept_settle(struct http_server *server)
{
	const uint64_t now_ms = uv_now(server->loop);
	struct crowd_change change;
	uint64_t due_ms;

	if (server->closing)
		return;
	while (crowd_next(server->crowd, now_ms, &change)) {
		if (change.goes)
			show_out(server, connection_of(change.goes));
		if (change.enters)
			enter(server, connection_of(change.enters));
	}
	keep_spare(server);
	accept_if(server, !server->is_out_of_room && crowd_has_room(server->crowd));
	due_ms = server->is_out_of_room ? RETRY_MS : crowd_due_ms(server->crowd, now_ms);
	if (due_ms == UINT64_MAX)
		(void)uv_timer_stop(&server->due);
	else
		(void)uv_timer_start(&server->due, on_due, due_ms, 0);
}

static void on_due(uv_timer_t *timer)
{
	struct http_server *server = container_of(timer, struct http_server, due);

	server->is_out_of_room = false;
	http_exchanges_sweep(server);
	http_accept_settle(server);
}

static void make_room(struct http_server *server)
{
	const enum crowd_rank rank = server->listener.allows ? CROWD_TRUSTED : CROWD_GUEST;
	struct crowd_member *m;

	http_exchanges_sweep(server);
	m = crowd_make_room(server->crowd, rank, uv_now(server->loop));
	if (m)
		show_out(server, connection_of(m));
}

/* Takes over fd. Without a spare descriptor only peers that must always get in are accepted. */
static void arrive(struct http_server *server, int fd, const struct sockaddr_storage *address,
		   socklen_t address_size)
{
	const struct http_listener *listener = &server->listener;
	struct http_connection *from = calloc(1, sizeof(*from));
	gid_t groups[GROUPS_MAX];
	struct http_peer peer;
	enum crowd_rank rank;

	if (!from) {
		(void)close(fd);
		return;
	}
	from->fd = fd;
	from->address = *address;
	from->address_size = address_size;
	http_peer_read(fd, &peer, groups);
	rank = rank_of(listener, &peer);
	if ((server->spare < 0 && rank != CROWD_TRUSTED) ||
	    !crowd_arrive(server->crowd, &from->member, origin_of(listener, &peer, rank, address),
			  rank, uv_now(server->loop)))
		turn_away(from);
	else if (server->spare < 0)
		make_room(server);
	http_accept_settle(server);
}

/* Returns 0, or a negative errno. */
static int accept_one(struct http_server *server)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	int fd = accept4(server->fd, (struct sockaddr *)&address, &size,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	arrive(server, fd, &address, size);
	return 0;
}

static bool is_out_of_room(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}

/* No descriptor is free. If the listener has peers that must get in, the first connection of the
 * kernel's queue is accepted with the spare descriptor, to see who it is. Otherwise all wait in
 * that queue. */
static void go_without_room(struct http_server *server)
{
	int rc = -EMFILE;

	if (server->listener.allows && server->spare >= 0) {
		(void)close(server->spare);
		server->spare = -1;
		rc = accept_one(server);
	}
	if (rc == 0 || rc == -EAGAIN)
		return;
	make_room(server);
	server->is_out_of_room = true;
	http_accept_settle(server);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct http_server *server = container_of(poll, struct http_server, accepting);
	int rc = 0;

	(void)status; /* accept() reports the error itself */
	(void)events;
	for (unsigned i = 0; i < ACCEPT_BATCH && server->is_accepting; i++) {
		rc = accept_one(server);
		if (rc == -EAGAIN || is_out_of_room(rc))
			break;
	}
	if (is_out_of_room(rc))
		go_without_room(server);
}

int http_accept_start(struct http_server *server, struct err *err)
{
	if (uv_poll_init(server->loop, &server->accepting, server->fd) < 0)
		return err_set(err, -EIO, "HTTP server: the listener cannot be polled");
	(void)uv_timer_init(server->loop, &server->due);
	server->accepts = true;
	http_accept_settle(server);
	return 0;
}

void http_accept_stop(struct http_server *server)
{
	struct crowd_member *m;

	while ((m = crowd_first_waiting(server->crowd))) {
		crowd_leave(server->crowd, m);
		(void)close(connection_of(m)->fd);
		free(connection_of(m));
	}
	if (server->accepts)
		(void)uv_poll_stop(&server->accepting);
	if (server->spare >= 0)
		(void)close(server->spare);
	(void)close(server->fd);
}
