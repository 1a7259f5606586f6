/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sockets that servers listen on: a unix one with a path, or TCP. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/http_server_private.h"

/* Removes a socket file on which nobody listens: a daemon that was killed left it. */
static int remove_stale(const struct sockaddr_un *address, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -errno : 0;

	if (rc == 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		rc = err_set(err, -EADDRINUSE, "somebody listens on %s already", address->sun_path);
	else if (rc == 0 && unlink(address->sun_path) < 0 && errno != ENOENT)
		rc = err_set_errno(err, -errno, "remove %s", address->sun_path);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

int http_server_listen_unix(struct http_server **ret, uv_loop_t *loop,
			    const struct http_listener *listener, const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;
	int rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: longer than a socket's path may be", path);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	rc = remove_stale(&address, err);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Everybody may connect. What somebody may do is decided for each request, by the
	 * user and groups of the connecting process (peer_access.h). */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd, SOMAXCONN) < 0) {
		rc = err_set_errno(err, -errno, "listen on %s", path);
		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	return http_server_start(ret, loop, listener, fd, path, err);
}

static socklen_t read_address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	return 0;
}

int http_server_listen_tcp(struct http_server **ret, uv_loop_t *loop,
			   const struct http_listener *listener, const char *address, uint16_t port,
			   struct err *err)
{
	struct sockaddr_storage at;
	socklen_t size = read_address(address, port, &at);
	int one = 1;
	int fd;

	if (size == 0)
		return err_set(err, -EINVAL, "'%s' is not an IP address", address);
	fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, SOMAXCONN) < 0) {
		int rc = err_set_errno(err, -errno, "listen on %s port %u", address, port);

		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	return http_server_start(ret, loop, listener, fd, NULL, err);
}

int http_server_listen_fd(struct http_server **ret, uv_loop_t *loop,
			  const struct http_listener *listener, int fd, struct err *err)
{
	return http_server_start(ret, loop, listener, fd, NULL, err);
}
