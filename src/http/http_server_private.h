/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_server_private.h - what http_server.c, http_accept.c, http_serve.c, http_listen.c,
 * http_exchange.c and http_reply.c share; nobody else. */
#pragma once

#include <microhttpd.h>
#include <sys/socket.h>

#include "base/crowd.h"

#include "http/http_server.h"

#define PARAMETERS_MAX 2
#define PARAMETER_SIZE_MAX                                                                         \
	128 /* the longest name there is: a version's, or a file's of an image                     \
	     */
#define GROUPS_MAX 256

struct http_server {
	struct http_listener listener;
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_idle_t idle;

	/* http_accept.c */
	int fd; /* listens */
	struct crowd *crowd;
	uv_poll_t accepting;
	bool accepts;        /* the handles are there */
	bool is_accepting;   /* not while there is no room for anybody, or no descriptor */
	bool is_out_of_room; /* of descriptors */
	uv_timer_t due;
	int spare; /* a spare descriptor, to accept a connection when none is free; -1 = it is used
		    */
	struct http_connection *entering; /* just being given to libmicrohttpd */

	struct http_exchange *first;
	char *path; /* of a unix socket */
	uint16_t port;
	bool closing;
	unsigned handles;
	void (*closed)(void *owner);
	void *owner;
};

/* One that was accepted. With libmicrohttpd it is closed by that, and freed after it. */
struct http_connection {
	struct crowd_member member;
	int fd;
	bool has_entered; /* libmicrohttpd has it */
	struct sockaddr_storage address;
	socklen_t address_size;
};

struct http_exchange {
	struct http_server *server;
	struct http_exchange *next;
	struct MHD_Connection *connection;
	struct http_connection *from;
	const struct http_route *route;
	char *method;
	char *url;
	uid_t uid; /* of who asks over a unix socket, once it is allowed */
	struct span parameters[PARAMETERS_MAX]; /* names, in the route's path */
	char *values[PARAMETERS_MAX];
	uint8_t *body;
	size_t body_size;
	bool admitted;        /* not refused by its head */
	uint64_t passed_over; /* bytes of a body that nobody wants */
	bool handled;
	bool suspended;
	bool waiting; /* an upload's next bytes are not wanted yet */
	struct MHD_Response *response;
	unsigned status;
	void *kept;
	void (*gone)(void *kept);

	bool streaming;
	bool ended;
	bool dropped;
	char *stream; /* what the reader has not taken yet */
	size_t stream_size;
};

/* Serve on fd, which is taken; path is removed at the end, and may be NULL. */
int http_server_start(struct http_server **ret, uv_loop_t *loop,
		      const struct http_listener *listener, int fd, const char *path,
		      struct err *err);

/* http_serve.c: what libmicrohttpd calls. */
enum MHD_Result http_serve_access(void *user, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state);
void http_serve_completed(void *user, struct MHD_Connection *connection, void **state,
			  enum MHD_RequestTerminationCode code);

struct crowd *http_accept_crowd(const struct http_listener *listener); /* NULL = no memory */
/* Accept on server->fd from now on, until stop: nothing but its handles is left then. */
int http_accept_start(struct http_server *server, struct err *err);
void http_accept_stop(struct http_server *server);
/* A connection has left: lets one that waits in. */
void http_accept_settle(struct http_server *server);
void http_accept_notify(void *user, struct MHD_Connection *connection, void **context,
			enum MHD_ConnectionNotificationCode code);
void http_peer_read(int fd, struct http_peer *ret, gid_t groups[GROUPS_MAX]);

/* MHD_run as long as it has something to do at once. */
void http_server_run(struct http_server *server);
/* libmicrohttpd has something to do; also after each resume. */
void http_server_kick(struct http_server *server);

/* Find the route; 0, or the status of a refusal, with allow filled for 405. */
unsigned http_exchange_route(struct http_exchange *x, char allow[64]);
/* Does the request give each name once, and without cutting it? For a route that was found.
 * -EINVAL. */
int http_exchange_check_names(struct http_exchange *x, struct err *err);
void http_exchange_free(struct http_exchange *x);
/* End the streams whose reader has gone. */
void http_exchanges_sweep(struct http_server *server);
void http_exchange_resume(struct http_exchange *x);
