/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardd/router.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "node/routes.h"
#include "stewardd/openapi_router.h"
#include "stewardd/unsealing.h"

/* It serves only its HA peer, and has the 1,024 descriptors that any service has. */
#define REPOSITORY_CONNECTIONS_MAX 256

#define LINK_ROUTES_OF_OURS 4
#define N_ROUTER_ROUTES     2
#define LINK_SOCKET         "conductor.sock"
/* With the default settings a conductor on this machine has the other name. */
#define LINK_SOCKET_TAKEN   "/run/steward/conductor.sock"
#define LINK_SOCKET_INSTEAD "/run/steward/conductor-link.sock"
/* With as many sealed secrets as a configuration can have. */
#define CONFIGURATION_MAX   ((size_t)512 << 10)

static struct router *router_of(const struct node *n)
{
	return container_of(n, struct router, node);
}

static struct router *router_of_exchange(const struct http_exchange *x)
{
	return router_of(http_exchange_owner(x));
}

/* On the control socket. */

static unsigned status_of(int code)
{
	switch (code) {
	case -EBUSY:
		return 409;
	case -EINVAL:
	case -EBADMSG:
	case -E2BIG:
	case -EKEYREJECTED:
		return 400;
	default:
		return 500;
	}
}

static void reply_state(struct http_exchange *x, int rc, const struct err *err)
{
	if (rc < 0)
		http_reply_problem(x, status_of(rc), "%s", err->text);
	else
		http_reply_json(x, 200, onboarding_to_json(router_of_exchange(x)->onboarding));
}

static void get_onboarding(struct http_exchange *x)
{
	const char *asked = http_exchange_query(x, "router");
	const char *name = router_of_exchange(x)->config->name;

	if (asked && !token_name_is_valid(asked)) {
		http_reply_problem(x, 400, "router: '%s' is not the name of a router", asked);
		return;
	}
	if (asked && strcmp(asked, name) != 0) {
		http_reply_problem(x, 404, "this is router %s", name);
		return;
	}
	reply_state(x, 0, NULL);
}

static void post_onboarding(struct http_exchange *x)
{
	struct err err;
	int rc = onboarding_apply(router_of_exchange(x)->onboarding, http_exchange_body(x), &err);

	reply_state(x, rc, &err);
}

static const struct http_route router_routes[N_ROUTER_ROUTES] = {
	{"GET", "/v1/onboarding", HTTP_READS, get_onboarding, NULL, 0},
	{"POST", "/v1/onboarding", HTTP_CHANGES, post_onboarding, NULL, (size_t)2 * TOKEN_SIZE_MAX},
};

/* On conductor.sock. */

static const char *secrets_directory_of(const struct router *r)
{
	return r->config->onboarding.secrets_directory;
}

static void get_sealing_keys(struct http_exchange *x)
{
	struct err err;
	cJSON *json = NULL;

	if (unsealing_tell_keys(secrets_directory_of(router_of_exchange(x)), &json, &err) < 0)
		http_reply_problem(x, 500, "%s", err.text);
	else
		http_reply_json(x, 200, json);
}

/* The body, as JSON text without surprises: two containers and no others, their secrets in place.
 * token_text_free() by the caller. */
static char *configuration_of(struct http_exchange *x, struct err *err)
{
	static const char *const members[] = {"software-update", "high-availability", "sealed",
					      NULL};
	const struct router *r = router_of_exchange(x);
	cJSON *json = NULL;
	char *text = NULL;
	int rc = json_parse(&json, http_exchange_body(x), CONFIGURATION_MAX, err);

	if (rc == 0 && !cJSON_IsObject(json))
		rc = err_set(err, -EINVAL, "expected a JSON object");
	if (rc == 0)
		rc = json_refuse_others(json, members, err);
	if (rc == 0)
		rc = unsealing_open(secrets_directory_of(r), onboarding_name(r->onboarding), json,
				    err);
	if (rc == 0) {
		text = cJSON_PrintUnformatted(json);
		if (!text)
			(void)err_set(err, -ENOMEM, "out of memory");
	}
	json_wipe_free(json);
	return text;
}

/* A conductor that never got our answer sends the configuration again. No boot follows that would
 * load it, so it is loaded now. */
static void post_initialize(struct http_exchange *x)
{
	struct router *r = router_of_exchange(x);
	const bool again = onboarding_state(r->onboarding) == ONBOARDING_ONBOARDED;
	struct err err = {0};
	char *text = configuration_of(x, &err);
	int rc = text ? onboarding_initialize(r->onboarding, text, &err) : err.code;

	token_text_free(&text);
	if (rc == 0 && again)
		rc = node_reload(&r->node, &err);
	reply_state(x, rc, &err);
}

static void put_configuration(struct http_exchange *x)
{
	struct router *r = router_of_exchange(x);
	struct err err = {0};
	char *text = configuration_of(x, &err);
	int rc = text ? onboarding_configure(r->onboarding, text, &err) : err.code;

	token_text_free(&text);
	if (rc == 0)
		rc = node_reload(&r->node, &err);
	reply_state(x, rc, &err);
}

/* Conductors are told by conductors alone: who can ask here came through a tunnel, whose other end
 * has shown a host key that this router knows. */
static void put_conductors(struct http_exchange *x)
{
	struct err err;
	int rc = onboarding_hear_of_conductors(router_of_exchange(x)->onboarding,
					       http_exchange_body(x), &err);

	reply_state(x, rc, &err);
}

static const struct http_route link_routes_of_ours[LINK_ROUTES_OF_OURS] = {
	{"GET", "/v1/sealing-keys", HTTP_READS, get_sealing_keys, NULL, 0},
	{"POST", "/v1/initialize", HTTP_CHANGES, post_initialize, NULL, CONFIGURATION_MAX},
	{"PUT", "/v1/conductors", HTTP_CHANGES, put_conductors, NULL, ONBOARDING_CONDUCTORS_MAX},
	{"PUT", "/v1/configuration", HTTP_CHANGES, put_configuration, NULL, CONFIGURATION_MAX},
};

/* Only our own ssh process may make requests on this socket. */
static bool is_ours(void *owner, const struct http_peer *peer, enum http_change change)
{
	(void)owner;
	(void)change;
	return peer->is_local && peer->uid == geteuid();
}

/* Beside the control socket. The caller frees it; NULL = out of memory. */
static char *link_path_beside(const char *socket)
{
	char *path = NULL;

	if (asprintf(&path, "%.*s" LINK_SOCKET, (int)(strrchr(socket, '/') + 1 - socket), socket) <
	    0)
		return NULL;
	if (strcmp(path, LINK_SOCKET_TAKEN) != 0)
		return path;
	free(path);
	return strdup(LINK_SOCKET_INSTEAD);
}

static int listen_link(struct router *r, struct err *err)
{
	static struct http_route routes[N_LINK_ROUTES + LINK_ROUTES_OF_OURS];
	const struct http_listener listener = {
		.routes = routes,
		.n_routes = N_ELEMENTS(routes),
		.counted = HTTP_BY_PROCESS, /* connections are counted for each tunnel, so that no
					       conductor keeps out another */
		.allows = is_ours,
		.owner = &r->node,
	};

	memcpy(routes, link_routes, sizeof(link_routes));
	memcpy(routes + N_LINK_ROUTES, link_routes_of_ours, sizeof(link_routes_of_ours));
	r->link_path = link_path_beside(r->config->control.socket);
	if (!r->link_path)
		return err_set(err, -ENOMEM, "out of memory");
	return http_server_listen_unix(&r->link, &r->node.loop, &listener, r->link_path, err);
}

/* The conductors' repositories are sources of ours, at this end of their tunnels. */

static int add_sources(struct node *n, struct config *config, struct err *err)
{
	struct router *r = router_of(n);

	for (size_t i = 0; r->onboarding && i < KNOWN_CONDUCTORS_MAX; i++) {
		const uint16_t port = onboarding_repository_port(r->onboarding, i);
		char name[16];
		char url[64];
		int rc;

		if (port == 0)
			continue;
		(void)snprintf(name, sizeof(name), "conductor-%zu", i + 1);
		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
		rc = config_add_source(config, name, SOURCE_CONDUCTOR, url, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void on_changed(void *owner)
{
	struct router *r = owner;
	bool moved = false;
	struct err err;

	for (size_t i = 0; r->onboarding && i < KNOWN_CONDUCTORS_MAX; i++) {
		const uint16_t port = onboarding_repository_port(r->onboarding, i);

		moved |= port != r->ports[i];
		r->ports[i] = port;
	}
	if (moved)
		(void)node_reload(&r->node, &err);
}

static int start_router(struct node *n, struct err *err)
{
	struct router *r = router_of(n);
	int rc = config_load(&r->config, n->config_path, CONFIG_ROUTER, err);

	if (rc == 0)
		rc = listen_link(r, err);
	if (rc == 0) {
		const struct onboarding_options options = {
			.loop = &n->loop,
			.config = &r->config->onboarding,
			.asset_id = r->config->asset_id,
			.socket = r->link_path,
			.directory = r->config->state_directory,
			.config_path = r->node.config_path,
			.check_configuration = config_check_router_over,
			.changed = on_changed,
			.owner = r,
		};

		rc = onboarding_start(&r->onboarding, &options, err);
	}
	if (rc == 0)
		on_changed(r);
	return rc;
}

static void part_closed(void *owner)
{
	struct router *r = owner;

	if (--r->closing > 0)
		return;
	config_free(r->config);
	free(r->link_path);
	r->closed(r->closed_owner);
}

static void close_router(struct node *n, void (*closed)(void *owner), void *owner)
{
	struct router *r = router_of(n);

	r->closed = closed;
	r->closed_owner = owner;
	r->closing = 1u + (r->link ? 1 : 0) + (r->onboarding ? 1 : 0);
	if (r->link)
		http_server_close(r->link, part_closed, r);
	if (r->onboarding)
		onboarding_close(r->onboarding, part_closed, r);
	part_closed(r);
}

static int check_reload(const struct node *n, const struct config *new, struct err *err)
{
	const struct router *r = router_of(n);
	const struct config_onboarding *old = &r->config->onboarding;

	if (strcmp(old->secrets_directory, new->onboarding.secrets_directory) != 0)
		return err_set(err, -EINVAL,
			       "secure-conductor-onboarding/secrets-directory cannot change "
			       "without a restart");
	return 0;
}

static void add_status(const struct node *n, cJSON *json)
{
	const struct router *r = router_of(n);

	(void)cJSON_AddStringToObject(json, "secure-conductor-onboarding",
				      onboarding_state_name(onboarding_state(r->onboarding)));
}

const struct node_program router_program = {
	.name = "stewardd",
	.role = CONFIG_ROUTER,
	.shared_connections_max = REPOSITORY_CONNECTIONS_MAX,
	.routes = router_routes,
	.n_routes = N_ROUTER_ROUTES,
	.openapi = openapi_router,
	.start = start_router,
	.close = close_router,
	.amend = add_sources,
	.check_reload = check_reload,
	.add_status = add_status,
};
