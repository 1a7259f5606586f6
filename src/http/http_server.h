/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_server.h - HTTP/1.1 on the loop: routes, JSON, files, event streams. Only this module
 * knows libmicrohttpd.
 *
 * A listener is a unix or TCP socket with a table of routes. The handler of a route replies at
 * once or later; until then the exchange belongs to it. If the server closes first, the
 * exchange's gone callback says so.
 *
 *	static void get_download(struct http_exchange *x)
 *	{
 *		const char *version = http_exchange_parameter(x, "version");
 *		...
 *		http_reply_json(x, 200, json);
 *	}
 *
 * No client can keep others out: connections are counted for each origin, idle ones make room for
 * new ones (crowd.h), and a listener that had no descriptor left goes on as soon as there is one.
 *
 * The process ignores SIGPIPE.
 *
 * Calling sequence: http_server_listen_unix/_tcp -> handlers, http_reply_... ->
 * http_server_close.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "base/span.h"
#include "http/http_range.h"

#define HTTP_BODY_MAX        (64u << 10)  /* of a buffered body, where the route says nothing */
#define HTTP_STREAM_MAX      (256u << 10) /* a reader that is further behind is dropped */
#define HTTP_CONNECTIONS_MAX 256          /* at once, where the listener says nothing */
#define HTTP_CONNECTION_SIZE (32u << 10)  /* bytes of head and buffer of one, likewise */
#define HTTP_IDLE_S          60

struct http_server;
struct http_exchange;

enum http_change { HTTP_READS, HTTP_CHANGES };

struct http_route {
	const char *method;
	const char *path; /* "/v1/downloads/{version}/pause" */
	enum http_change change;
	/* The request is whole; of a streamed one, once upload has taken the last byte. */
	void (*handle)(struct http_exchange *x);
	/* NULL = the body is buffered. Takes all of bytes; if it then calls
	 * http_exchange_wait(), the next come after http_exchange_go_on(). */
	void (*upload)(struct http_exchange *x, struct span bytes);
	size_t body_max; /* of a buffered body; 0 = HTTP_BODY_MAX */
};

/* Who is at the other end of a unix socket. */
struct http_peer {
	bool is_local; /* a unix socket */
	uid_t uid;
	pid_t pid;
	const gid_t *groups; /* the primary one first */
	size_t n_groups;
};

/* Whose connections are counted together (crowd.h). */
enum http_counted {
	HTTP_BY_ORIGIN,  /* a user's, over a unix socket; else an address's (of IPv6 a /64's) */
	HTTP_BY_PROCESS, /* of those who may change; of others, a user's */
	HTTP_TOGETHER,   /* all together: they cannot be told apart, and further ones wait */
};

struct http_listener {
	const struct http_route *routes;
	size_t n_routes;
	unsigned connections_max; /* 0 = HTTP_CONNECTIONS_MAX */
	size_t connection_size;   /* bytes; 0 = HTTP_CONNECTION_SIZE */
	enum http_counted counted;
	unsigned idle_s; /* of a connection without a whole request; 0 = HTTP_IDLE_S */
	/* May this peer do that? NULL = everybody may. Peers that may change always get in: a
	 * quarter of the connections is kept for them. Peers that may not even read have at most
	 * another quarter. */
	bool (*allows)(void *owner, const struct http_peer *peer, enum http_change change);
	/* A peer was refused; for the log. */
	void (*refused)(void *owner, const struct http_peer *peer, const char *method,
			const char *path);
	void *owner;
};

/* A stale socket file is replaced; one that somebody listens on is -EADDRINUSE. */
int http_server_listen_unix(struct http_server **ret, uv_loop_t *loop,
			    const struct http_listener *listener, const char *path,
			    struct err *err);
/* port 0 = the kernel's choice; see http_server_port(). */
int http_server_listen_tcp(struct http_server **ret, uv_loop_t *loop,
			   const struct http_listener *listener, const char *address, uint16_t port,
			   struct err *err);
/* fd listens already, and is taken. */
int http_server_listen_fd(struct http_server **ret, uv_loop_t *loop,
			  const struct http_listener *listener, int fd, struct err *err);
uint16_t http_server_port(const struct http_server *server);
void http_server_close(struct http_server *server, void (*closed)(void *owner), void *owner);

void *http_exchange_owner(const struct http_exchange *x); /* the listener's */
uid_t http_exchange_uid(const struct http_exchange *x);   /* of a listener that judges peers */
const char *http_exchange_method(const struct http_exchange *x);
const char *http_exchange_path(const struct http_exchange *x); /* without what was asked after ? */
const char *http_exchange_parameter(const struct http_exchange *x, const char *name);
const char *http_exchange_query(const struct http_exchange *x, const char *name); /* or NULL */
struct span http_exchange_body(const struct http_exchange *x);

/* An object of the handler that lives as long as the exchange: gone is called when the exchange
 * ends, also without a reply. */
void http_exchange_keep(struct http_exchange *x, void *kept, void (*gone)(void *kept));
void *http_exchange_kept(const struct http_exchange *x);

/* For a streamed upload: wants no more bytes for now; wants them again. */
void http_exchange_wait(struct http_exchange *x);
void http_exchange_go_on(struct http_exchange *x);

/* One of these ends the exchange. json is taken. */
void http_reply_json(struct http_exchange *x, unsigned status, cJSON *json);
void http_reply_json_at(struct http_exchange *x, unsigned status, const char *location,
			cJSON *json);
/* RFC 9457. */
void http_reply_problem(struct http_exchange *x, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void http_reply_text(struct http_exchange *x, unsigned status, const char *type, const char *text);
/* bytes are copied. */
void http_reply_bytes(struct http_exchange *x, unsigned status, const char *type,
		      struct span bytes);
/* JSON that was printed already, which is taken. link: the value of a Link field (RFC 8288), or
 * NULL. */
void http_reply_page(struct http_exchange *x, char *text, const char *link);
void http_reply_empty(struct http_exchange *x, unsigned status);
/* fd is taken; ranges are served, without a copy. */
void http_reply_file(struct http_exchange *x, int fd, uint64_t size, const char *type);
/* Which part of a file of size bytes http_reply_file() would send; see http_range_parse(). */
enum http_range_kind http_exchange_range(const struct http_exchange *x, uint64_t size,
					 uint64_t *ret_first, uint64_t *ret_length);
/* 416, where that part is not to be had. */
void http_reply_unsatisfiable(struct http_exchange *x, uint64_t size);

/* Before http_reply_stream(): may this peer have one more stream? False: it has too many, and has
 * been answered. */
bool http_exchange_may_stream(struct http_exchange *x);
/* A reply without end: http_stream_send() as often as wanted, until http_stream_end() or gone.
 * Returns false if the reader was too slow and is dropped. */
void http_reply_stream(struct http_exchange *x, unsigned status, const char *type);
bool http_stream_send(struct http_exchange *x, const char *text);
void http_stream_end(struct http_exchange *x);
