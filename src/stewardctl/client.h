/* SPDX-License-Identifier: GPL-3.0-or-later */
/* client.h - HTTP over the control socket, blocking.
 *
 * It uses libcurl's easy interface: this program has no loop, for which http/http_client is made.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of the program, as in stewardctl(1). */
enum {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 64,
	EXIT_NO_DAEMON = 69,
};

#define CLIENT_NEXT_SIZE 2048

struct client {
	const char *socket;
};

/* The socket to use: path, or the router's, or the conductor's if only that is there. */
void client_init(struct client *client, const char *path);

/* Prints on stderr that no daemon answers, and why. Returns EXIT_NO_DAEMON. */
int client_say_no_daemon(const struct client *client);

struct client_reply {
	long status; /* 0 = no daemon answered */
	char *body;  /* zero-terminated, owned; NULL = none */
	size_t size;
	char next[CLIENT_NEXT_SIZE]; /* the path of the next page, where there is one; else "" */
};

/* body may be NULL. Returns an exit status: EXIT_DONE for 2xx. Else the reason was printed on
 * stderr; for 4xx and 5xx it is the detail of the problem document. */
int client_call(const struct client *client, const char *method, const char *path, const char *body,
		struct client_reply *ret);
void client_reply_release(struct client_reply *reply);

/* PUT a file's bytes; progress is called now and then, and may be NULL. */
int client_upload(const struct client *client, const char *path, const char *file,
		  void (*progress)(size_t done, size_t size), struct client_reply *ret);

/* Reads a stream until it ends or take returns false. EXIT_NO_DAEMON is returned without a
 * message, since a watcher waits for the daemon to come back. */
int client_stream(const struct client *client, const char *method, const char *path,
		  bool (*take)(void *owner, const char *bytes, size_t n), void *owner);
