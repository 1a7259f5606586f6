/* events.h - server-sent events: everyone who reads GET /v1/events is told. */
#pragma once

#include <cjson/cJSON.h>
#include <uv.h>

#include "http/http_server.h"

#define EVENTS_KEEPALIVE_MS 15000u /* a comment line, so that a reader that is gone is noticed */

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

/* name: "state" or "progress". json is not taken. */
void events_publish(struct events *events, const char *name, const cJSON *json);

/* One event to one reader, for streams of their own. */
bool events_send(struct http_exchange *x, const char *name, const cJSON *json);
