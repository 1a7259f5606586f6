/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/network_changes.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"

#define SETTLE_MS  500
#define BETWEEN_MS 1000

static void on_settled(uv_timer_t *timer)
{
	struct network_changes *n = container_of(timer, struct network_changes, timer);

	n->told_ms = uv_now(timer->loop);
	n->changed(n->owner);
}

/* What was said is of no matter: the kernel also tells that it had to leave something out. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct network_changes *n = container_of(poll, struct network_changes, poll);
	const uint64_t due_ms = n->told_ms + BETWEEN_MS;
	const uint64_t settled_ms = uv_now(poll->loop) + SETTLE_MS;
	char said[4096];
	ssize_t size;

	(void)status;
	(void)events;
	do
		size = recv(n->fd, said, sizeof(said), MSG_DONTWAIT);
	while (size > 0 || (size < 0 && errno == EINTR));
	if (!uv_is_active((uv_handle_t *)&n->timer))
		(void)uv_timer_start(&n->timer, on_settled,
				     MAX(due_ms, settled_ms) - uv_now(poll->loop), 0);
}

static int open_socket(struct err *err)
{
	const struct sockaddr_nl changes = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE |
			     RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int rc;

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&changes, sizeof(changes)) == 0)
		return fd;
	rc = err_set_errno(err, -errno, "watch the addresses and routes of this machine");
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

int network_changes_start(struct network_changes *n, uv_loop_t *loop, void (*changed)(void *owner),
			  void *owner, struct err *err)
{
	*n = (struct network_changes){.changed = changed, .owner = owner, .open = 1};
	(void)uv_timer_init(loop, &n->timer);
	n->fd = open_socket(err);
	if (n->fd < 0)
		return n->fd;
	(void)uv_poll_init(loop, &n->poll, n->fd);
	(void)uv_poll_start(&n->poll, UV_READABLE, on_readable);
	n->open++;
	return 0;
}

static void part_closed(struct network_changes *n)
{
	if (--n->open > 0)
		return;
	if (n->fd >= 0)
		(void)close(n->fd);
	n->closed(n->owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
	part_closed(container_of((uv_timer_t *)handle, struct network_changes, timer));
}

static void on_poll_closed(uv_handle_t *handle)
{
	part_closed(container_of((uv_poll_t *)handle, struct network_changes, poll));
}

void network_changes_close(struct network_changes *n, void (*closed)(void *owner))
{
	n->closed = closed;
	uv_close((uv_handle_t *)&n->timer, on_timer_closed);
	if (n->fd >= 0)
		uv_close((uv_handle_t *)&n->poll, on_poll_closed);
}
