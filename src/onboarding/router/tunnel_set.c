/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tunnel_set.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "onboarding/router/conductor_choice.h"

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

static void take_host_keys(struct link *link, const struct message_conductor *c)
{
	link->conductor.n_ssh_host_keys = c->n_ssh_host_keys;
	memcpy(link->conductor.ssh_host_keys, c->ssh_host_keys, sizeof(c->ssh_host_keys));
	for (unsigned k = 0; k < c->n_ssh_host_keys; k++)
		link->host_keys[k] = span_of(link->conductor.ssh_host_keys[k].bytes,
					     link->conductor.ssh_host_keys[k].size);
}

static void start_link(struct tunnel_set *set, struct link *link, size_t i)
{
	static const struct tunnel_callbacks callbacks = {
		.connected = on_connected,
		.disconnected = on_disconnected,
	};
	const struct tunnel_set_options *o = &set->options;
	const struct message_conductor *c = &link->conductor;
	struct err err;

	link->set = set;
	link->conductor = set->wanted[i];
	take_host_keys(link, &set->wanted[i]);
	(void)snprintf(link->known_hosts, sizeof(link->known_hosts), "%s/known_hosts-%zu",
		       o->directory, (size_t)(link - set->each) + 1);
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
		.down_since_s = set->down_since_s[i],
	};

	tunnel_init(&link->tunnel, o->loop, &options, &callbacks);
	link->state = LINK_OPEN;
	if (tunnel_start(&link->tunnel, &err) < 0)
		log_event(LOG_TUNNEL_DISCONNECTED, &(struct log_fields){.reason = err.text},
			  "no tunnel to conductor %s: %s", c->host, err.text);
}

static bool is_closed(const struct tunnel_set *set)
{
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		if (set->each[i].state != LINK_NONE)
			return false;
	return true;
}

/* The link to this conductor in that state; NULL = there is none. */
static const struct link *find_link(const struct tunnel_set *set, const struct message_conductor *c,
				    enum link_state state)
{
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		if (set->each[i].state == state &&
		    conductor_is_same_way(&set->each[i].conductor, c))
			return &set->each[i];
	return NULL;
}

/* Of conductor i of those that are wanted; NULL = it has none, or one that ends. */
static const struct link *open_link(const struct tunnel_set *set, size_t i)
{
	return i < set->n_wanted ? find_link(set, &set->wanted[i], LINK_OPEN) : NULL;
}

static struct link *find_place(struct tunnel_set *set)
{
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		if (set->each[i].state == LINK_NONE)
			return &set->each[i];
	return NULL;
}

/* One that still ends holds its port on the conductor; and there is a place for each, once those
 * that end have ended. */
static void start_wanted(struct tunnel_set *set)
{
	for (size_t i = 0; i < set->n_wanted; i++) {
		struct link *place = find_place(set);

		if (place && !open_link(set, i) && !find_link(set, &set->wanted[i], LINK_CLOSING))
			start_link(set, place, i);
	}
}

static void on_closed(struct tunnel *t)
{
	struct link *link = container_of(t, struct link, tunnel);
	struct tunnel_set *set = link->set;

	link->state = LINK_NONE;
	if (set->closed) {
		if (is_closed(set))
			set->closed(set->owner);
		return;
	}
	start_wanted(set);
	set->options.changed(set->options.owner);
}

static void end_link(struct link *link)
{
	if (link->state != LINK_OPEN)
		return;
	link->state = LINK_CLOSING;
	tunnel_close(&link->tunnel, on_closed);
}

static void want(struct tunnel_set *set, const struct conductor_list *list)
{
	set->n_wanted = list->n;
	for (size_t i = 0; i < list->n; i++) {
		set->wanted[i] = list->each[i].at;
		set->down_since_s[i] = list->each[i].unreachable_since_s;
	}
}

void tunnel_set_start(struct tunnel_set *set, const struct conductor_list *list)
{
	want(set, list);
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		end_link(&set->each[i]);
	start_wanted(set);
}

static bool is_key(const struct message_host_key *key, const char *fingerprint)
{
	char text[BASE64_LENGTH(EVP_MAX_MD_SIZE) + 1];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (EVP_Digest(key->bytes, key->size, digest, &size, EVP_sha256(), NULL) != 1)
		return false;
	base64_write(span_of(digest, size), text);
	return strncmp(text, fingerprint, TUNNEL_SSH_FINGERPRINT_SIZE - 1) == 0;
}

/* Where it has shown none, which no ssh that we know of does, it is the first. */
static int key_shown(const struct link *link, const struct message_conductor *c)
{
	const char *shown = link->tunnel.host_key;

	for (unsigned k = 0; shown[0] && k < c->n_ssh_host_keys; k++)
		if (is_key(&c->ssh_host_keys[k], shown))
			return (int)k;
	return shown[0] ? CONDUCTOR_IS_DOWN : 0;
}

static bool is_up(const struct link *link)
{
	return link && link->state == LINK_OPEN && link->tunnel.state == TUNNEL_CONNECTED;
}

int tunnel_set_up_by(const struct tunnel_set *set, size_t i)
{
	const struct link *link = open_link(set, i);

	return is_up(link) ? key_shown(link, &set->wanted[i]) : CONDUCTOR_IS_DOWN;
}

int64_t tunnel_set_down_since_s(const struct tunnel_set *set, size_t i)
{
	const struct link *link = open_link(set, i);

	return link && !is_up(link) ? link->tunnel.since_s : 0;
}

bool tunnel_set_has_failed(const struct tunnel_set *set, size_t i)
{
	const struct link *link = open_link(set, i);

	return link && !is_up(link) && link->tunnel.problem[0];
}

static const struct message_conductor *find_wanted(const struct tunnel_set *set,
						   const struct link *link)
{
	for (size_t i = 0; i < set->n_wanted; i++)
		if (conductor_is_same_way(&set->wanted[i], &link->conductor))
			return &set->wanted[i];
	return NULL;
}

static bool has_another_way(const struct tunnel_set *set)
{
	for (size_t i = 0; i < set->n_wanted; i++)
		if (tunnel_set_up_by(set, i) != CONDUCTOR_IS_DOWN)
			return true;
	return false;
}

static void change_link(struct tunnel_set *set, struct link *link)
{
	const struct message_conductor *c = find_wanted(set, link);

	if (!c) {
		end_link(link);
		return;
	}
	if (!conductor_has_same_keys(&link->conductor, c)) {
		take_host_keys(link, c);
		tunnel_set_host_keys(&link->tunnel, link->host_keys, c->n_ssh_host_keys);
	}
	if (is_up(link) && key_shown(link, c) == CONDUCTOR_IS_DOWN && has_another_way(set))
		end_link(link);
}

void tunnel_set_change(struct tunnel_set *set, const struct conductor_list *list)
{
	want(set, list);
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		if (set->each[i].state == LINK_OPEN)
			change_link(set, &set->each[i]);
	start_wanted(set);
}

void tunnel_set_look(struct tunnel_set *set)
{
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		if (set->each[i].state == LINK_OPEN)
			tunnel_look(&set->each[i].tunnel);
}

uint16_t tunnel_set_repository_port(const struct tunnel_set *set, size_t i)
{
	const struct link *link = open_link(set, i);

	return link ? link->tunnel.local_port : 0;
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
	const struct link *link = open_link(set, i);
	const struct tunnel *t = link ? &link->tunnel : &none;

	(void)cJSON_AddStringToObject(item, "tunnel", link ? tunnel_state_name(t->state) : "none");
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
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		end_link(&set->each[i]);
	if (is_closed(set))
		closed(owner);
}
