/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/port_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Returns its size; 0 = it is none. */
static socklen_t read_address(const char *text, uint16_t port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (text && inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		return sizeof(ret->v4);
	}
	if (!text || inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		return sizeof(ret->v6);
	}
	return 0;
}

static int bind_and_listen(int fd, const union address *at, socklen_t size, bool only_v6)
{
	const int reuse = 1;
	const int only = only_v6;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) < 0)
		return -errno;
	if (at->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
		return -errno;
	if (bind(fd, &at->any, size) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return 0;
}

static int open_socket(const union address *at, socklen_t size, bool only_v6, int *ret)
{
	int fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -errno : bind_and_listen(fd, at, size, only_v6);

	if (rc == 0)
		*ret = fd;
	else if (fd >= 0)
		(void)close(fd);
	return rc;
}

int port_listen(const char *address, uint16_t port, int *ret, struct err *err)
{
	union address at;
	socklen_t size = read_address(address, port, &at);
	int rc;

	if (size == 0)
		return err_set(err, -EINVAL, "'%s' is not an IP address", address);
	rc = open_socket(&at, size, address != NULL, ret);
	if (rc == -EAFNOSUPPORT && !address) {
		size = read_address("0.0.0.0", port, &at);
		rc = open_socket(&at, size, false, ret);
	}
	if (rc < 0)
		return err_set_errno(err, rc, "listen on %s port %u", address ? address : "any",
				     port);
	return 0;
}

uint16_t port_listened(int fd)
{
	union address at = {0};
	socklen_t size = sizeof(at);

	(void)getsockname(fd, &at.any, &size);
	return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}
