/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/events.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"

struct event_reader {
	struct events *events;
	struct event_reader *next;
	struct http_exchange *x;
};

static void on_keepalive(uv_timer_t *timer)
{
	struct events *events = container_of(timer, struct events, keepalive);

	for (struct event_reader *reader = events->first; reader; reader = reader->next)
		(void)http_stream_send(reader->x, ":\n\n");
}

void events_init(struct events *events, uv_loop_t *loop)
{
	events->first = NULL;
	(void)uv_timer_init(loop, &events->keepalive);
}

static void on_closed(uv_handle_t *handle)
{
	struct events *events = container_of(handle, struct events, keepalive);

	events->closed(events->owner);
}

void events_close(struct events *events, void (*closed)(void *owner), void *owner)
{
	events->closed = closed;
	events->owner = owner;
	uv_close((uv_handle_t *)&events->keepalive, on_closed);
}

static void on_gone(void *kept)
{
	struct event_reader *reader = kept;
	struct events *events = reader->events;
	struct event_reader **at = &events->first;

	while (*at != reader)
		at = &(*at)->next;
	*at = reader->next;
	free(reader);
	if (!events->first)
		(void)uv_timer_stop(&events->keepalive);
}

void events_add_reader(struct events *events, struct http_exchange *x)
{
	struct event_reader *reader;

	if (!http_exchange_may_stream(x))
		return;
	reader = calloc(1, sizeof(*reader));
	if (!reader) {
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	reader->events = events;
	reader->x = x;
	reader->next = events->first;
	events->first = reader;
	http_exchange_keep(x, reader, on_gone);
	http_reply_stream(x, 200, "text/event-stream");
	(void)http_stream_send(x, ":\n\n");
	(void)uv_timer_start(&events->keepalive, on_keepalive, EVENTS_KEEPALIVE_MS,
			     EVENTS_KEEPALIVE_MS);
}

bool events_has_readers(const struct events *events)
{
	return events->first != NULL;
}

static char *event_text(const char *name, const cJSON *json)
{
	char *data = cJSON_PrintUnformatted(json);
	char *text = NULL;

	if (data && asprintf(&text, "event: %s\ndata: %s\n\n", name, data) < 0)
		text = NULL;
	free(data);
	return text;
}

bool events_send(struct http_exchange *x, const char *name, const cJSON *json)
{
	char *text = event_text(name, json);
	bool sent = text && http_stream_send(x, text);

	free(text);
	return sent;
}

void events_publish(struct events *events, const char *name, const cJSON *json)
{
	char *text = event_text(name, json);

	for (struct event_reader *reader = events->first; text && reader; reader = reader->next)
		(void)http_stream_send(reader->x, text);
	free(text);
}
