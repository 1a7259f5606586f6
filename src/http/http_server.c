/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "http/http_server_private.h"

#define RUNS_MAX 32 /* in a row, before others on the loop have their turn */

/* How many connections may exist beside the counted ones: those that were shut down and are not
 * closed yet. */
#define CLOSING_MAX 1024u

static void on_timer(uv_timer_t *timer);
static void on_idle(uv_idle_t *idle);

/* MHD_run as long as it has something to do at once; then a timer for what is due later. */
void http_server_run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait = 0;
	enum MHD_Result due = MHD_NO;

	(void)uv_idle_stop(&server->idle);
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		(void)MHD_run(server->daemon);
		due = MHD_get_timeout(server->daemon, &wait);
		if (due != MHD_YES || wait > 0)
			break;
	}
	if (due != MHD_YES)
		(void)uv_timer_stop(&server->timer);
	else if (wait > 0)
		(void)uv_timer_start(&server->timer, on_timer, MAX(wait, 2), 0);
	else
		(void)uv_idle_start(&server->idle, on_idle);
}

static void run_and_settle(struct http_server *server)
{
	http_server_run(server);
	http_accept_settle(server);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run_and_settle(container_of(poll, struct http_server, poll));
}

static void on_timer(uv_timer_t *timer)
{
	run_and_settle(container_of(timer, struct http_server, timer));
}

static void on_idle(uv_idle_t *idle)
{
	run_and_settle(container_of(idle, struct http_server, idle));
}

void http_server_kick(struct http_server *server)
{
	if (!server->closing)
		(void)uv_idle_start(&server->idle, on_idle);
}

/* From here on the path is a C string. A zero byte (%00) becomes another character, or what
 * follows it would be overlooked. */
static size_t unescape(void *user, struct MHD_Connection *connection, char *text)
{
	size_t length = MHD_http_unescape(text);

	(void)user;
	(void)connection;
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = '\1';
	return length;
}

/* All of it is called by the loop's thread. A libmicrohttpd that is not told so, from 0.9.77 on,
 * only notes a connection that is added, and begins it at its next run. Which one runs is decided
 * when it runs: an upgrade of the system keeps the library's name. */
static unsigned one_thread(void)
{
	const unsigned no_thread_safety = 1u << 19; /* MHD_USE_NO_THREAD_SAFETY, new in 0.9.77 */

	return strverscmp(MHD_get_version(), "0.9.77") >= 0 ? no_thread_safety : 0;
}

/* We hand over the connections (http_accept.c). libmicrohttpd's own accepting can end for good:
 * if as many connections as it allows close in the same round, nothing calls it again. */
static int start_daemon(struct http_server *server, struct err *err)
{
	const struct http_listener *listener = &server->listener;
	const unsigned connections_max = listener->connections_max ?: HTTP_CONNECTIONS_MAX;
	const size_t connection_size = listener->connection_size ?: HTTP_CONNECTION_SIZE;
	const union MHD_DaemonInfo *epoll;

	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET |
			one_thread(),
		0, NULL, NULL, http_serve_access, server, MHD_OPTION_NOTIFY_COMPLETED,
		http_serve_completed, server, MHD_OPTION_NOTIFY_CONNECTION, http_accept_notify,
		server, MHD_OPTION_CONNECTION_LIMIT, connections_max + CLOSING_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, listener->idle_s ?: HTTP_IDLE_S,
		MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		connection_size,
		/* sendfile() has no MSG_NOSIGNAL. Only if we say that we ignore SIGPIPE,
		 * libmicrohttpd uses sendfile(); else it reads and copies files. */
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!server->daemon)
		return err_set(err, -EIO, "HTTP server: libmicrohttpd does not start");
	epoll = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!epoll || uv_poll_init(server->loop, &server->poll, epoll->epoll_fd) < 0) {
		MHD_stop_daemon(server->daemon);
		return err_set(err, -EIO, "HTTP server: no epoll descriptor");
	}
	(void)uv_timer_init(server->loop, &server->timer);
	(void)uv_idle_init(server->loop, &server->idle);
	(void)uv_poll_start(&server->poll, UV_READABLE, on_poll);
	return 0;
}

static void on_never_started(void *owner)
{
	(void)owner;
}

int http_server_start(struct http_server **ret, uv_loop_t *loop,
		      const struct http_listener *listener, int fd, const char *path,
		      struct err *err)
{
	struct http_server *server = calloc(1, sizeof(*server));
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	int rc = -ENOMEM;

	if (server) {
		server->listener = *listener;
		server->loop = loop;
		server->fd = fd;
		server->spare = -1;
		server->path = path ? strdup(path) : NULL;
		server->crowd = http_accept_crowd(listener);
		rc = (path && !server->path) || !server->crowd ? -ENOMEM : 0;
	}
	if (rc < 0)
		(void)err_set(err, rc, "HTTP server: out of memory");
	else
		rc = start_daemon(server, err);
	if (rc < 0) {
		(void)close(fd);
		if (server) {
			crowd_free(server->crowd);
			free(server->path);
		}
		free(server);
		return rc;
	}
	rc = http_accept_start(server, err);
	if (rc < 0) {
		http_server_close(server, on_never_started, NULL);
		return rc;
	}
	run_and_settle(server);
	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
		if (address.ss_family == AF_INET)
			server->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
		if (address.ss_family == AF_INET6)
			server->port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	}
	*ret = server;
	return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct http_server *server = handle->data;
	void (*closed)(void *owner) = server->closed;
	void *owner = server->owner;

	if (--server->handles > 0)
		return;
	free(server->path);
	free(server);
	closed(owner);
}

static void close_handle(struct http_server *server, uv_handle_t *handle)
{
	handle->data = server;
	uv_close(handle, on_handle_closed);
}

void http_server_close(struct http_server *server, void (*closed)(void *owner), void *owner)
{
	server->closing = true;
	server->closed = closed;
	server->owner = owner;
	(void)uv_poll_stop(&server->poll);
	/* libmicrohttpd can be stopped only when no connection is suspended. */
	for (struct http_exchange *x = server->first; x; x = x->next) {
		x->ended = true;
		x->waiting = false;
		if (!x->response && x->suspended && !x->streaming)
			http_reply_problem(x, 503, "the daemon stops");
		http_exchange_resume(x);
	}
	(void)MHD_run(server->daemon);
	http_accept_stop(server);
	MHD_stop_daemon(server->daemon);
	crowd_free(server->crowd);
	if (server->path)
		(void)unlink(server->path);
	server->handles = server->accepts ? 5 : 3;
	close_handle(server, (uv_handle_t *)&server->poll);
	close_handle(server, (uv_handle_t *)&server->timer);
	close_handle(server, (uv_handle_t *)&server->idle);
	if (server->accepts) {
		close_handle(server, (uv_handle_t *)&server->accepting);
		close_handle(server, (uv_handle_t *)&server->due);
	}
}
