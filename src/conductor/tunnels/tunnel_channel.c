/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/tunnel_channel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"

#define QUEUE_SIZE 64 /* how many messages the queue has room for at first */
#define ROOM       16 /* how many messages wait at most if the other side keeps up */
#define AGAIN_MS   20
#define BATCH      64 /* how many messages are received before other events have their turn */

static void on_ready(uv_poll_t *poll, int status, int events);

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

int tunnel_channel_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;
	int rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	rc = -errno;
	(void)close(fd);
	return rc;
}

int tunnel_channel_open(struct tunnel_channel *c, uv_loop_t *loop, int fd,
			tunnel_received_cb received, tunnel_broken_cb broken)
{
	int rc;

	*c = (struct tunnel_channel){
		.fd = fd,
		.size = QUEUE_SIZE,
		.received = received,
		.broken = broken,
		.poll.data = c,
		.again.data = c,
		.open_handles = 2,
	};
	c->queue = calloc(c->size, sizeof(*c->queue));
	rc = c->queue ? uv_poll_init(loop, &c->poll, fd) : -ENOMEM;
	if (rc < 0) {
		free(c->queue);
		close_fd(fd);
		return rc;
	}
	(void)uv_timer_init(loop, &c->again);
	(void)uv_poll_start(&c->poll, UV_READABLE, on_ready);
	return 0;
}

static int send_one(int channel, const struct tunnel_queued *queued)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct tunnel_message message = queued->message;
	struct iovec part = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr all = {.msg_iov = &part, .msg_iovlen = 1};

	if (queued->fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &queued->fd, sizeof(int));
		all.msg_control = &control;
		all.msg_controllen = sizeof(control);
	}
	return sendmsg(channel, &all, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The channel is broken. From now on it does nothing but tell its owner so, once and from the
 * loop. */
static void break_channel(struct tunnel_channel *c, int code)
{
	if (c->code < 0)
		return;
	c->code = code;
	/* The other side can read that this is the end, even if it could not be written to. */
	(void)shutdown(c->fd, SHUT_RDWR);
}

static void drop_first(struct tunnel_channel *c)
{
	close_fd(c->queue[c->first].fd);
	c->first = (c->first + 1) % c->size;
	c->n_queued--;
}

/* Does the kernel lack memory, or are too many descriptors in flight (unix(7))? poll() does not
 * tell these apart from a socket that can be written to. */
static bool is_short_of_something(int code)
{
	return code == -ENOBUFS || code == -ENOMEM || code == -ETOOMANYREFS;
}

static void flush(struct tunnel_channel *c);

static void on_again(uv_timer_t *timer)
{
	flush(container_of(timer, struct tunnel_channel, again));
}

static void flush(struct tunnel_channel *c)
{
	int rc = 0;

	if (c->code < 0)
		return;
	while (c->n_queued > 0) {
		rc = send_one(c->fd, &c->queue[c->first]);
		if (rc == 0)
			drop_first(c);
		else if (rc != -EINTR)
			break;
	}
	if (is_short_of_something(rc))
		(void)uv_timer_start(&c->again, on_again, AGAIN_MS, 0);
	else if (rc < 0 && rc != -EAGAIN)
		break_channel(c, rc == -ECONNRESET ? -EPIPE : rc);
	(void)uv_poll_start(&c->poll, UV_READABLE | (rc == -EAGAIN ? UV_WRITABLE : 0), on_ready);
}

/* Makes a ring of at least that size; what is queued is moved to its beginning. */
static int grow(struct tunnel_channel *c, size_t needed)
{
	struct tunnel_queued *queue;
	size_t size = c->size;

	while (size < needed)
		size *= 2;
	if (size == c->size)
		return 0;
	queue = calloc(size, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_queued; i++)
		queue[i] = c->queue[(c->first + i) % c->size];
	free(c->queue);
	c->queue = queue;
	c->size = size;
	c->first = 0;
	return 0;
}

int tunnel_channel_reserve(struct tunnel_channel *c, size_t n)
{
	int rc = grow(c, c->n_queued + c->reserved + n);

	if (rc == 0)
		c->reserved += n;
	return rc;
}

void tunnel_channel_unreserve(struct tunnel_channel *c, size_t n)
{
	assert(c->reserved >= n);
	c->reserved -= n;
}

int tunnel_channel_send(struct tunnel_channel *c, const struct tunnel_message *message, int fd)
{
	int rc = c->code < 0 ? 0 : grow(c, c->n_queued + c->reserved + 1);

	if (c->code < 0 || rc < 0) {
		close_fd(fd);
		return rc;
	}
	c->queue[(c->first + c->n_queued++) % c->size] = (struct tunnel_queued){
		.message = *message,
		.fd = fd,
	};
	flush(c);
	return 0;
}

bool tunnel_channel_has_room(const struct tunnel_channel *c)
{
	return c->code == 0 && c->n_queued < ROOM;
}

/* Returns the descriptor that came with a message; -1 = none. */
static int take_descriptor(struct msghdr *all)
{
	int fd = -1;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(all); header; header = CMSG_NXTHDR(all, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
		    header->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

/* Returns 0 with a message, -EAGAIN without one, else why there will be none. A descriptor that we
 * have no room for is lost (MSG_CTRUNC), its message is not. */
static int receive_one(int channel, struct tunnel_message *ret, int *ret_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec part = {.iov_base = ret, .iov_len = sizeof(*ret)};
	struct msghdr all = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(channel, &all, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
	*ret_fd = take_descriptor(&all);
	if (n == sizeof(*ret) && !(all.msg_flags & MSG_TRUNC))
		return 0;
	close_fd(*ret_fd);
	return n == 0 ? -EPIPE : -EBADMSG;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct tunnel_channel *c = container_of(poll, struct tunnel_channel, poll);
	struct tunnel_message message;
	int rc = 0;
	int fd = -1;

	(void)status; /* the calls below report the error themselves */
	(void)events;
	for (unsigned i = 0; i < BATCH && c->code == 0; i++) {
		rc = receive_one(c->fd, &message, &fd);
		if (rc < 0)
			break;
		c->received(c, &message, fd);
	}
	if (uv_is_closing((uv_handle_t *)poll))
		return;
	if (rc < 0 && rc != -EAGAIN && c->code == 0)
		c->code = rc;
	if (c->code == 0) {
		flush(c);
	} else {
		(void)uv_poll_stop(poll);
		c->broken(c, c->code);
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct tunnel_channel *c = handle->data;

	if (--c->open_handles > 0)
		return;
	while (c->n_queued > 0)
		drop_first(c);
	free(c->queue);
	close_fd(c->fd);
	c->fd = -1;
	c->closed(c);
}

void tunnel_channel_close(struct tunnel_channel *c, void (*closed)(struct tunnel_channel *channel))
{
	c->closed = closed;
	c->code = -ESHUTDOWN;
	uv_close((uv_handle_t *)&c->poll, on_closed);
	uv_close((uv_handle_t *)&c->again, on_closed);
}
