#include "core/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/http_exchange.h"
#include "core/macros.h"

#define RUNS_MAX 32 /* in a row, before others on the loop have their turn */

/* Whoever still writes a body when the connection closes may lose the reply to a broken pipe. So
 * the body of a request that is refused is read all the same, so much of it. */
#define REFUSED_BODY_MAX (16u << 20)

static void on_timer(uv_timer_t *timer);
static void on_idle(uv_idle_t *idle);

/* MHD_run as long as it has something to do at once; then a timer for what is due later. */
static void run(struct http_server *server)
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

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(container_of(poll, struct http_server, poll));
}

static void on_timer(uv_timer_t *timer)
{
	run(container_of(timer, struct http_server, timer));
}

static void on_idle(uv_idle_t *idle)
{
	run(container_of(idle, struct http_server, idle));
}

void http_server_kick(struct http_server *server)
{
	if (!server->closing)
		(void)uv_idle_start(&server->idle, on_idle);
}

static void read_peer(struct MHD_Connection *connection, struct http_peer *ret,
		      gid_t groups[GROUPS_MAX])
{
	const union MHD_ConnectionInfo *at =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	socklen_t groups_size = (GROUPS_MAX - 1) * sizeof(gid_t);
	int domain = 0;
	socklen_t domain_size = sizeof(domain);

	memset(ret, 0, sizeof(*ret));
	if (!at || getsockopt(at->connect_fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) < 0 ||
	    domain != AF_UNIX)
		return;
	if (getsockopt(at->connect_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return;
	ret->is_local = true;
	ret->uid = credentials.uid;
	groups[0] = credentials.gid;
	if (getsockopt(at->connect_fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &groups_size) < 0)
		groups_size = 0;
	ret->groups = groups;
	ret->n_groups = 1 + groups_size / sizeof(gid_t);
}

static bool is_allowed(struct http_exchange *x)
{
	const struct http_listener *listener = &x->server->listener;
	gid_t groups[GROUPS_MAX];
	struct http_peer peer;

	if (!listener->allows)
		return true;
	read_peer(x->connection, &peer, groups);
	x->uid = peer.uid;
	if (listener->allows(listener->owner, &peer, x->route->change))
		return true;
	if (listener->refused)
		listener->refused(listener->owner, &peer, x->method, x->url);
	return false;
}

static enum MHD_Result queue_reply(struct http_exchange *x)
{
	enum MHD_Result rc = MHD_queue_response(x->connection, x->status, x->response);

	MHD_destroy_response(x->response);
	x->response = NULL;
	x->handled = true;
	return rc;
}

static size_t body_max(const struct http_exchange *x)
{
	return x->route->body_max ? x->route->body_max : HTTP_BODY_MAX;
}

static const char *header(const struct http_exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static uint64_t content_length(const struct http_exchange *x)
{
	const char *value = header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return value ? strtoull(value, NULL, 10) : 0;
}

/* Does a refusal wait for the end of the body? Not where the client asks before it sends one, and
 * not for one that is beyond reason. */
static bool reads_body_first(const struct http_exchange *x)
{
	if (header(x, MHD_HTTP_HEADER_EXPECT))
		return false;
	if (header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return true;
	return content_length(x) > 0 && content_length(x) <= REFUSED_BODY_MAX;
}

/* What the head of the request tells already: x->response is set if it is refused. */
static void judge_head(struct http_exchange *x, const char *method)
{
	char allow[64];
	unsigned refusal = http_exchange_route(x, allow);
	struct err err;

	if (refusal == 405) {
		http_reply_problem(x, 405, "%s is not for %s, only %s", method, x->url, allow);
		(void)MHD_add_response_header(x->response, "Allow", allow);
	} else if (refusal) {
		http_reply_problem(x, refusal, "there is no %s", x->url);
	} else if (!is_allowed(x)) {
		http_reply_problem(x, 403, "not allowed: %s %s needs %s", method, x->url,
				   x->route->change == HTTP_CHANGES
					   ? "root or a member of the control group"
					   : "a member of the read group");
	} else if (http_exchange_check_names(x, &err) < 0) {
		http_reply_problem(x, 400, "%s", err.text);
	} else if (!x->route->upload && content_length(x) > body_max(x)) {
		http_reply_problem(x, 413, "a body of more than %zu bytes", body_max(x));
	} else {
		x->admitted = true;
	}
}

static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *connection,
			     const char *method, const char *url, void **ret_exchange)
{
	struct http_exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return MHD_NO;
	*ret_exchange = x;
	x->server = server;
	x->connection = connection;
	x->next = server->first;
	server->first = x;
	x->method = strdup(strcmp(method, "HEAD") == 0 ? "GET" : method);
	x->url = strdup(url);
	if (!x->method || !x->url)
		return MHD_NO;
	judge_head(x, method);
	return x->response && !reads_body_first(x) ? queue_reply(x) : MHD_YES;
}

static void take_body(struct http_exchange *x, struct span bytes)
{
	uint8_t *larger;

	if (bytes.size > body_max(x) - x->body_size) {
		http_reply_problem(x, 413, "a body of more than %zu bytes", body_max(x));
		return;
	}
	larger = realloc(x->body, x->body_size + bytes.size + 1);
	if (!larger) {
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	x->body = larger;
	memcpy(x->body + x->body_size, bytes.bytes, bytes.size);
	x->body_size += bytes.size;
}

/* The rest of a body whose answer is known: libmicrohttpd sends none before its end. Who may upload
 * a stream is read to the end, whatever it takes. */
static enum MHD_Result pass_over(struct http_exchange *x, size_t size)
{
	bool is_stream = x->admitted && x->route->upload;

	x->passed_over += size;
	return is_stream || x->passed_over <= REFUSED_BODY_MAX ? MHD_YES : MHD_NO;
}

static void suspend(struct http_exchange *x)
{
	x->suspended = true;
	MHD_suspend_connection(x->connection);
}

static enum MHD_Result take_upload(struct http_exchange *x, const char *bytes, size_t *size)
{
	struct span span = span_of(bytes, *size);

	if (x->waiting) {
		suspend(x);
		return MHD_YES;
	}
	*size = 0;
	if (x->response || x->handled)
		return pass_over(x, span.size);
	if (x->route->upload)
		x->route->upload(x, span);
	else
		take_body(x, span);
	return MHD_YES;
}

static enum MHD_Result on_access(void *user, struct MHD_Connection *connection, const char *url,
				 const char *method, const char *version, const char *upload,
				 size_t *upload_size, void **state)
{
	struct http_server *server = user;
	struct http_exchange *x = *state;

	(void)version;
	if (!x)
		return begin(server, connection, method, url, state);
	if (*upload_size > 0)
		return take_upload(x, upload, upload_size);
	if (x->waiting) {
		suspend(x);
		return MHD_YES;
	}
	if (!x->response && !x->handled) {
		x->handled = true;
		x->route->handle(x);
	}
	if (x->response)
		return queue_reply(x);
	suspend(x);
	return MHD_YES;
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct http_exchange *x = *state;

	(void)user;
	(void)connection;
	(void)code;
	if (x)
		http_exchange_free(x);
	*state = NULL;
}

/* A path is a string to everyone from here on: what follows a %00 must not be lost from sight. */
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

static int start_daemon(struct http_server *server, int fd, struct err *err)
{
	const struct http_listener *listener = &server->listener;
	const unsigned connections_max = listener->connections_max ?: HTTP_CONNECTIONS_MAX;
	const size_t connection_size = listener->connection_size ?: HTTP_CONNECTION_SIZE;
	const union MHD_DaemonInfo *epoll;

	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL, on_access,
		server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
		server, MHD_OPTION_CONNECTION_LIMIT, connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)HTTP_IDLE_S, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_size,
		/* sendfile() has no MSG_NOSIGNAL: without this word files are read and copied. */
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
	server->handles = 3;
	run(server);
	return 0;
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
		server->path = path ? strdup(path) : NULL;
		rc = path && !server->path ? -ENOMEM : 0;
	}
	if (rc < 0)
		(void)err_set(err, rc, "HTTP server: out of memory");
	else
		rc = start_daemon(server, fd, err);
	if (rc < 0) {
		(void)close(fd);
		if (server)
			free(server->path);
		free(server);
		return rc;
	}
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
	/* libmicrohttpd stops only when nobody is suspended. */
	for (struct http_exchange *x = server->first; x; x = x->next) {
		x->ended = true;
		x->waiting = false;
		if (!x->response && x->suspended && !x->streaming)
			http_reply_problem(x, 503, "the daemon stops");
		http_exchange_resume(x);
	}
	(void)MHD_run(server->daemon);
	MHD_stop_daemon(server->daemon);
	if (server->path)
		(void)unlink(server->path);
	close_handle(server, (uv_handle_t *)&server->poll);
	close_handle(server, (uv_handle_t *)&server->timer);
	close_handle(server, (uv_handle_t *)&server->idle);
}
