/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/local_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* SO_REUSEADDR, as ssh uses it: only a program that listens on the port is in the way, not
 * connections that have ended. */
static int bind_there(int fd, uint16_t port, uint16_t *ret)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at);
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) < 0)
		return -errno;
	*ret = ntohs(at.sin_port);
	return 0;
}

int local_port_choose(uint16_t *ret, uint16_t before, struct err *err)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -errno : bind_there(fd, before, ret);

	if (rc == -EADDRINUSE && before != 0)
		rc = bind_there(fd, 0, ret);
	if (fd >= 0)
		(void)close(fd);
	return rc < 0 ? err_set_errno(err, rc, "choose a port of 127.0.0.1") : 0;
}
