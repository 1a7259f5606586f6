/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A download on a router's nodes, as it goes on: each is asked once a second through its tunnel,
 * and what it says is passed on as it comes. A node that hangs is told as such, and holds up
 * nobody. The registry is asked each time before: where a node was deleted, or is another's now,
 * its port may be anybody's, and it is told that this is the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/work_pool.h"
#include "conductord/conductor.h"
#include "conductord/router_nodes.h"
#include "conductord/routes_private.h"
#include "download/image/manifest.h"
#include "node/events.h"

#define ASK_MS    1000
#define PATH_SIZE 256

struct watched_node {
	struct watch *watch;
	bool is_asked;
	bool is_over; /* the reader was told why */
};

/* One reader. */
struct watch {
	struct work work;
	struct conductor *conductor;
	struct http_exchange *x; /* NULL = nobody reads any more */
	char path[PATH_SIZE];
	struct router_nodes nodes; /* that are watched */
	struct watched_node watched[ROUTER_NODES_MAX];
	struct router_nodes now; /* the worker's while it lists */
	bool is_listing;
	bool has_begun;
	uv_timer_t timer; /* until all are asked again */
	bool has_timer;
	int rc;
	struct err err;
};

static void free_if_over(struct watch *watch)
{
	struct conductor *c = watch->conductor;

	if (watch->x || watch->is_listing || watch->has_timer)
		return;
	for (size_t i = 0; i < watch->nodes.n; i++)
		if (watch->watched[i].is_asked)
			return;
	free(watch);
	node_job_ends(&c->node);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct watch *watch = container_of((uv_timer_t *)handle, struct watch, timer);

	watch->has_timer = false;
	free_if_over(watch);
}

static void on_gone(void *kept)
{
	struct watch *watch = kept;

	watch->x = NULL;
	if (watch->has_timer)
		uv_close((uv_handle_t *)&watch->timer, on_timer_closed);
	else
		free_if_over(watch);
}

static const struct router_node *node_of(const struct watched_node *node)
{
	return &node->watch->nodes.each[node - node->watch->watched];
}

static void tell(struct watched_node *node, cJSON *json)
{
	(void)events_send(node->watch->x, "node", json);
	cJSON_Delete(json);
}

static void on_answered(void *owner, const struct router_answer *answer)
{
	struct watched_node *node = owner;

	node->is_asked = false;
	if (!node->watch->x)
		free_if_over(node->watch);
	else if (!node->is_over)
		tell(node, router_node_told(node_of(node), answer));
}

static void ask(struct watched_node *node)
{
	struct watch *watch = node->watch;
	const struct router_ask ask = {
		.listen_port = node_of(node)->listen_port,
		.method = "GET",
		.path = watch->path,
		.timeout_ms = ROUTER_CALL_ASK_MS,
	};

	if (node->is_asked || node->is_over)
		return;
	if (!node_of(node)->enrolled)
		tell(node, router_node_not_asked(node_of(node), 0, ROUTER_NOT_CONNECTED));
	else
		node->is_asked =
			router_call_start(&watch->conductor->calls, &ask, on_answered, node) == 0;
}

static void ask_all(struct watch *watch)
{
	for (size_t i = 0; i < watch->nodes.n; i++)
		ask(&watch->watched[i]);
}

/* Compares the watched nodes with those that the registry has now. */
static void judge(struct watch *watch)
{
	size_t n_over = 0;

	for (size_t i = 0; i < watch->nodes.n; i++) {
		struct watched_node *node = &watch->watched[i];
		struct router_node *was = &watch->nodes.each[i];
		const char *end = node->is_over ? NULL : router_node_end(was, &watch->now);

		if (end) {
			tell(node, router_node_not_asked(was, 404, end));
			node->is_over = true;
		}
		if (node->is_over)
			n_over++;
		else
			*was = *router_nodes_find(&watch->now, was->name);
	}
	if (n_over < watch->nodes.n)
		return;
	(void)uv_timer_stop(&watch->timer);
	http_stream_end(watch->x);
}

/* Tells the reader which nodes there are, so that it knows for whom to wait. */
static void tell_nodes(struct watch *watch)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(json, "nodes");

	for (size_t i = 0; i < watch->nodes.n; i++)
		(void)cJSON_AddItemToArray(array, cJSON_CreateString(watch->nodes.each[i].name));
	(void)events_send(watch->x, "nodes", json);
	cJSON_Delete(json);
}

static void list(struct watch *watch);

/* While the registry does not answer, nobody else may log in. So the same nodes are asked as
 * before. */
static void on_timer(uv_timer_t *timer)
{
	struct watch *watch = container_of(timer, struct watch, timer);

	if (watch->is_listing)
		ask_all(watch);
	else
		list(watch);
}

static void begin_stream(struct watch *watch)
{
	watch->has_begun = true;
	watch->nodes = watch->now;
	http_reply_stream(watch->x, 200, "text/event-stream");
	tell_nodes(watch);
	for (size_t i = 0; i < watch->nodes.n; i++)
		watch->watched[i].watch = watch;
	watch->has_timer = true;
	(void)uv_timer_init(&watch->conductor->node.loop, &watch->timer);
	(void)uv_timer_start(&watch->timer, on_timer, ASK_MS, ASK_MS);
	ask_all(watch);
}

static void run_list(struct work *work)
{
	struct watch *watch = container_of(work, struct watch, work);

	watch->now.n = 0;
	watch->rc = router_nodes_list(watch->conductor->registry, &watch->now, &watch->err);
}

static void on_listed(struct work *work)
{
	struct watch *watch = container_of(work, struct watch, work);

	watch->is_listing = false;
	if (!watch->x) {
		free_if_over(watch);
	} else if (watch->has_begun) {
		if (watch->rc == 0 || watch->rc == -ENOENT)
			judge(watch);
		ask_all(watch);
	} else if (watch->rc < 0) {
		http_reply_problem(watch->x, router_nodes_status(watch->rc), "%s", watch->err.text);
	} else {
		begin_stream(watch);
	}
}

static void list(struct watch *watch)
{
	struct conductor *c = watch->conductor;

	watch->is_listing = true;
	work_pool_submit(c->registry_pool, &c->node.loop, &watch->work, run_list, on_listed);
}

void routes_router_watch(struct http_exchange *x)
{
	struct conductor *c = conductor_of(http_exchange_owner(x));
	const char *version = http_exchange_parameter(x, "version");
	struct watch *watch;
	struct err err;

	if (!manifest_name_is_valid(version)) {
		http_reply_problem(x, 400, "that is not the name of a version");
		return;
	}
	if (!http_exchange_may_stream(x))
		return;
	watch = calloc(1, sizeof(*watch));
	if (!watch) {
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	if (router_nodes_meant(&watch->now, x, &err) < 0) {
		http_reply_problem(x, 400, "%s", err.text);
		free(watch);
		return;
	}
	watch->conductor = c;
	watch->x = x;
	(void)snprintf(watch->path, sizeof(watch->path), "/v1/downloads/%s", version);
	http_exchange_keep(x, watch, on_gone);
	node_job_begins(&c->node);
	list(watch);
}
