#include "onboarding/conductor/tunnel_channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/macros.h"

static void on_ready(uv_poll_t *poll, int status, int events);

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

int tunnel_channel_open(struct tunnel_channel *c, uv_loop_t *loop, int fd,
			tunnel_received_cb received, tunnel_broken_cb broken)
{
	int rc;

	*c = (struct tunnel_channel){.fd = fd, .received = received, .broken = broken};
	c->queue = calloc(TUNNEL_CHANNEL_QUEUE, sizeof(*c->queue));
	rc = c->queue ? uv_poll_init(loop, &c->poll, fd) : -ENOMEM;
	if (rc < 0) {
		free(c->queue);
		close_fd(fd);
		return rc;
	}
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

/* From now on only told of: from the loop, and once. */
static void break_channel(struct tunnel_channel *c, int code)
{
	if (c->code < 0)
		return;
	c->code = code;
	/* Its end can be read, whatever stands in the way of writing. */
	(void)shutdown(c->fd, SHUT_RDWR);
}

static void drop_queue(struct tunnel_channel *c)
{
	for (; c->n_queued > 0; c->n_queued--) {
		close_fd(c->queue[c->first].fd);
		c->first = (c->first + 1) % TUNNEL_CHANNEL_QUEUE;
	}
}

static void flush(struct tunnel_channel *c)
{
	while (c->n_queued > 0) {
		struct tunnel_queued *queued = &c->queue[c->first];
		int rc = send_one(c->fd, queued);

		if (rc == -EINTR)
			continue;
		if (rc == -EAGAIN)
			break;
		if (rc < 0) {
			break_channel(c, rc == -ECONNRESET ? -EPIPE : rc);
			return;
		}
		close_fd(queued->fd);
		c->first = (c->first + 1) % TUNNEL_CHANNEL_QUEUE;
		c->n_queued--;
	}
	(void)uv_poll_start(&c->poll, UV_READABLE | (c->n_queued > 0 ? UV_WRITABLE : 0), on_ready);
}

void tunnel_channel_send(struct tunnel_channel *c, const struct tunnel_message *message, int fd)
{
	if (c->code == 0 && c->n_queued == TUNNEL_CHANNEL_QUEUE)
		break_channel(c, -ENOBUFS);
	if (c->code < 0) {
		close_fd(fd);
		return;
	}
	c->queue[(c->first + c->n_queued++) % TUNNEL_CHANNEL_QUEUE] = (struct tunnel_queued){
		.message = *message,
		.fd = fd,
	};
	flush(c);
}

/* The descriptor of a message; -1 = none. */
static int take_descriptor(struct msghdr *all)
{
	int fd = -1;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(all); header; header = CMSG_NXTHDR(all, header))
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
		    header->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

/* Returns 0 with a message, -EAGAIN without one, else why there will be none. */
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
	if (n == sizeof(*ret) && !(all.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
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

	(void)status; /* the calls say it themselves */
	(void)events;
	while (c->code == 0) {
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
	struct tunnel_channel *c = container_of(handle, struct tunnel_channel, poll);

	drop_queue(c);
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
}
