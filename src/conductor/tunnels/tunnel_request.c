/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/tunnel_request.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 100

static int bind_and_listen(int fd, const struct sockaddr_in *at)
{
	const int reuse = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) < 0 ||
	    bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return 0;
}

/* On loopback both ends are in this kernel: a connection that is not there at once will never be.
 */
static int connect_to(int fd, const struct sockaddr_in *at)
{
	struct pollfd connected = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int code = 0;

	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&connected, 1, CONNECT_MS) != 1)
		return -EAGAIN;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		return -errno;
	return -code;
}

static int open_at(uint16_t port, bool listening)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = listening ? bind_and_listen(fd, &at) : connect_to(fd, &at);
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

int tunnel_request_connect(uint16_t port)
{
	return open_at(port, false);
}

int tunnel_request_listen(uint16_t port)
{
	return open_at(port, true);
}
