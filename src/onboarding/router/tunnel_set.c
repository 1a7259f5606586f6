/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tunnel_set.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log_events.h"
#include "base/macros.h"

#define SSH_USER "steward-tunnel"

void tunnel_set_init(struct tunnel_set *set, const struct tunnel_set_options *options)
{
	memset(set, 0, sizeof(*set));
	set->options = *options;
}

static void on_connected(struct tunnel *t)
{
	const struct tunnel_set *set = container_of(t, struct link, tunnel)->set;

	set->options.connected(set->options.owner);
}

static void on_disconnected(struct tunnel *t, const char *reason)
{
	const struct tunnel_set *set = container_of(t, struct link, tunnel)->set;

	(void)reason; /* the tunnel has told it */
	set->options.changed(set->options.owner);
}

static void start_link(struct tunnel_set *set, size_t i)
{
	static const struct tunnel_callbacks callbacks = {
		.connected = on_connected,
		.disconnected = on_disconnected,
	};
	const struct tunnel_set_options *o = &set->options;
	struct link *link = &set->each[i];
	const struct message_conductor *c = &link->conductor;
	struct err err;

	link->set = set;
	link->conductor = set->wanted[i];
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
		.kex = o->kex,
		.kex_problem = o->kex_problem,
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

static bool is_closed(const struct tunnel_set *set)
{
	for (size_t i = 0; i < MESSAGE_CONDUCTORS_MAX; i++)
		if (set->each[i].state != LINK_NONE)
			return false;
	return true;
}

static void on_closed(struct tunnel *t)
{
	struct link *link = container_of(t, struct link, tunnel);
	struct tunnel_set *set = link->set;
	const size_t i = (size_t)(link - set->each);

	link->state = LINK_NONE;
	if (set->closed) {
		if (is_closed(set))
			set->closed(set->owner);
		return;
	}
	if (i < set->n_wanted)
		start_link(set, i);
	set->options.changed(set->options.owner);
}

static void end_link(struct link *link)
{
	if (link->state != LINK_OPEN)
		return;
	link->state = LINK_CLOSING;
	tunnel_close(&link->tunnel, on_closed);
}

void tunnel_set_start(struct tunnel_set *set, const struct message_conductor *conductors, size_t n)
{
	memcpy(set->wanted, conductors, n * sizeof(conductors[0]));
	set->n_wanted = n;
	for (size_t i = 0; i < MESSAGE_CONDUCTORS_MAX; i++) {
		end_link(&set->each[i]);
		if (i < n && set->each[i].state == LINK_NONE)
			start_link(set, i);
	}
}

void tunnel_set_look(struct tunnel_set *set)
{
	for (size_t i = 0; i < MESSAGE_CONDUCTORS_MAX; i++)
		if (set->each[i].state == LINK_OPEN)
			tunnel_look(&set->each[i].tunnel);
}

uint16_t tunnel_set_repository_port(const struct tunnel_set *set, size_t i)
{
	return i < MESSAGE_CONDUCTORS_MAX && set->each[i].state == LINK_OPEN
		       ? set->each[i].tunnel.local_port
		       : 0;
}

static void add_time(cJSON *item, const char *name, int64_t time_s)
{
	if (time_s)
		(void)cJSON_AddNumberToObject(item, name, (double)time_s);
	else
		(void)cJSON_AddNullToObject(item, name);
}

void tunnel_set_describe(const struct tunnel_set *set, size_t i, cJSON *item)
{
	static const struct tunnel none = {0};
	bool is_open = i < MESSAGE_CONDUCTORS_MAX && set->each[i].state == LINK_OPEN;
	const struct tunnel *t = is_open ? &set->each[i].tunnel : &none;

	(void)cJSON_AddStringToObject(item, "tunnel",
				      is_open ? tunnel_state_name(t->state) : "none");
	if (t->state == TUNNEL_CONNECTED && t->kex != SSH_KEX_NONE)
		(void)cJSON_AddStringToObject(item, "key-exchange", ssh_kex_name(t->kex));
	else
		(void)cJSON_AddNullToObject(item, "key-exchange");
	add_time(item, "since", t->since_s);
	if (t->problem[0])
		(void)cJSON_AddStringToObject(item, "problem", t->problem);
	else
		(void)cJSON_AddNullToObject(item, "problem");
	add_time(item, "next-try", tunnel_next_try_s(t, time(NULL)));
}

void tunnel_set_close(struct tunnel_set *set, void (*closed)(void *owner), void *owner)
{
	set->closed = closed;
	set->owner = owner;
	for (size_t i = 0; i < MESSAGE_CONDUCTORS_MAX; i++)
		end_link(&set->each[i]);
	if (is_closed(set))
		closed(owner);
}
