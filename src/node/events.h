/* SPDX-License-Identifier: GPL-3.0-or-later */
/* events.h - server-sent events for all readers of GET /v1/events. */
#pragma once

#include <cjson/cJSON.h>
#include <uv.h>

#include "http/http_server.h"

#define EVENTS_KEEPALIVE_MS 15000u /* a comment line shows that a reader is gone */

struct events {
	struct event_reader *first;
	uv_timer_t keepalive;
	void (*closed)(void *owner);
	void *owner;
};

void events_init(struct events *events, uv_loop_t *loop);
void events_close(struct events *events, void (*closed)(void *owner), void *owner);

/* The exchange becomes a stream of events. */
void events_add_reader(struct events *events, struct http_exchange *x);
bool events_has_readers(const struct events *events);

/* name: "state" or "progress" of a download; a program may have more. json is not taken. */
void events_publish(struct events *events, const char *name, const cJSON *json);

/* Sends one event to one reader, for streams of other routes. */
bool events_send(struct http_exchange *x, const char *name, const cJSON *json);
