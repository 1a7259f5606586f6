/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_world.h - a client and a server of ours on one loop, and one request of the client's. */
#pragma once

#include "support.h"

#include "http/http_client.h"
#include "http/http_server.h"

#define FILE_SIZE 300000u

enum behaviour { JUST_READ, PAUSE_ONCE, ABORT_IN_HEADERS, ABORT_IN_BODY, CANCEL_IN_BODY };

struct http_world {
	uv_loop_t loop;
	char *folder;
	struct http_server *server;
	struct http_client *client;
	struct http_access access;
	char url[128];
	bool server_closed;
	bool client_closed;

	/* Of the request under test. */
	struct http_request *request;
	struct http_head head;
	struct http_result result;
	unsigned n_headers;
	unsigned n_done;
	bool done;
	uint64_t bytes;
	uint64_t sum;
	enum behaviour behaviour;
	bool paused;
	uv_timer_t timer;
	struct http_exchange *waiting;
	bool gone;
};

/* For cmocka: *state is a struct http_world. The end closes both, and the loop. */
int http_world_make(void **state);
int http_world_end(void **state);

/* Of the server; /file (FILE_SIZE bytes), /hello/{name}, /later (no reply: w->waiting), /problem.
 */
const char *http_world_url(struct http_world *w, const char *path);

/* Start the request; what comes of it is in w, as w->behaviour wants it. */
void http_world_get(struct http_world *w, const char *address, bool has_range, uint64_t first,
		    uint64_t last);

/* Sets *(bool *)owner. */
void http_world_closed(void *owner);
