#include "onboarding/router/tunnel_set.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log_events.h"
#include "base/macros.h"

#define SSH_USER "steward-tunnel"

void tunnel_set_init(struct tunnel_set *links, const struct tunnel_set_options *options)
{
	memset(links, 0, sizeof(*links));
	links->options = *options;
}

static void on_connected(struct tunnel *t)
{
	const struct tunnel_set *links = container_of(t, struct link, tunnel)->links;

	links->options.connected(links->options.owner);
}

static void on_disconnected(struct tunnel *t, const char *reason)
{
	const struct tunnel_set *links = container_of(t, struct link, tunnel)->links;

	(void)reason; /* the tunnel has told it */
	links->options.changed(links->options.owner);
}

static void start_link(struct tunnel_set *links, size_t i)
{
	static const struct tunnel_callbacks callbacks = {
		.connected = on_connected,
		.disconnected = on_disconnected,
	};
	const struct tunnel_set_options *o = &links->options;
	struct link *link = &links->each[i];
	const struct message_conductor *c = &link->conductor;
	struct err err;

	link->links = links;
	link->conductor = links->wanted[i];
	(void)snprintf(link->known_hosts, sizeof(link->known_hosts), "%s/known_hosts-%zu",
		       o->directory, i + 1);
	for (unsigned k = 0; k < c->n_ssh_host_keys; k++)
		link->host_keys[k] = span_of(c->ssh_host_keys[k].bytes, c->ssh_host_keys[k].size);
	const struct tunnel_options options = {
		.ssh = "ssh",
		.host = c->host,
		.port = c->port,
		.user = SSH_USER,
		.key = o->key_file,
		.known_hosts = link->known_hosts,
		.host_keys = link->host_keys,
		.n_host_keys = c->n_ssh_host_keys,
		.listen_port = c->listen_port,
		.socket = o->socket,
		.repository_port = c->repository_port,
	};

	tunnel_init(&link->tunnel, o->loop, &options, &callbacks);
	link->state = LINK_OPEN;
	if (tunnel_start(&link->tunnel, &err) < 0)
		log_event(LOG_TUNNEL_DISCONNECTED, &(struct log_fields){.reason = err.text},
			  "no tunnel to conductor %s: %s", c->host, err.text);
}

static bool is_closed(const struct tunnel_set *links)
{
	for (size_t i = 0; i < MESSAGE_CONDUCTORS_MAX; i++)
		if (links->each[i].state != LINK_NONE)
			return false;
	return true;
}

static void on_closed(struct tunnel *t)
{
	struct link *link = container_of(t, struct link, tunnel);
	struct tunnel_set *links = link->links;
	const size_t i = (size_t)(link - links->each);

	link->state = LINK_NONE;
	if (links->closed) {
		if (is_closed(links))
			links->closed(links->owner);
		return;
	}
	if (i < links->n_wanted)
		start_link(links, i);
	links->options.changed(links->options.owner);
}

static void end_link(struct link *link)
{
	if (link->state != LINK_OPEN)
		return;
	link->state = LINK_CLOSING;
	tunnel_close(&link->tunnel, on_closed);
}

void tunnel_set_start(struct tunnel_set *links, const struct message_conductor *conductors,
		      size_t n)
{
	memcpy(links->wanted, conductors, n * sizeof(conductors[0]));
	links->n_wanted = n;
	for (size_t i = 0; i < MESSAGE_CONDUCTORS_MAX; i++) {
		end_link(&links->each[i]);
		if (i < n && links->each[i].state == LINK_NONE)
			start_link(links, i);
	}
}

uint16_t tunnel_set_repository_port(const struct tunnel_set *links, size_t i)
{
	return i < MESSAGE_CONDUCTORS_MAX && links->each[i].state == LINK_OPEN
		       ? links->each[i].tunnel.local_port
		       : 0;
}

static void add_time(cJSON *item, const char *name, int64_t time_s)
{
	if (time_s)
		(void)cJSON_AddNumberToObject(item, name, (double)time_s);
	else
		(void)cJSON_AddNullToObject(item, name);
}

void tunnel_set_describe(const struct tunnel_set *links, size_t i, cJSON *item)
{
	static const struct tunnel none = {0};
	bool is_open = i < MESSAGE_CONDUCTORS_MAX && links->each[i].state == LINK_OPEN;
	const struct tunnel *t = is_open ? &links->each[i].tunnel : &none;

	(void)cJSON_AddStringToObject(item, "tunnel",
				      is_open ? tunnel_state_name(t->state) : "none");
	add_time(item, "since", t->since_s);
	if (t->problem[0])
		(void)cJSON_AddStringToObject(item, "problem", t->problem);
	else
		(void)cJSON_AddNullToObject(item, "problem");
	add_time(item, "next-try", tunnel_next_try_s(t, time(NULL)));
}

void tunnel_set_close(struct tunnel_set *links, void (*closed)(void *owner), void *owner)
{
	links->closed = closed;
	links->owner = owner;
	for (size_t i = 0; i < MESSAGE_CONDUCTORS_MAX; i++)
		end_link(&links->each[i]);
	if (is_closed(links))
		closed(owner);
}
