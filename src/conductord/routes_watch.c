/* A download on a router's nodes, as it goes on: each is asked once a second through its tunnel,
 * and what it says is passed on as it comes. A node that hangs is told as such, and holds up
 * nobody. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conductord/conductor.h"
#include "conductord/router_nodes.h"
#include "conductord/routes_private.h"
#include "core/macros.h"
#include "core/work_pool.h"
#include "download/manifest.h"
#include "node/events.h"

#define ASK_MS    1000
#define PATH_SIZE 256

struct watched_node {
	struct watch *watch;
	uv_timer_t timer; /* until it is asked again */
	bool is_asked;
	bool is_open; /* it has the timer */
};

/* One reader. */
struct watch {
	struct work work;
	struct conductor *conductor;
	struct http_exchange *x; /* NULL = nobody reads any more */
	char path[PATH_SIZE];
	struct router_nodes nodes;
	struct watched_node watched[ROUTER_NODES_MAX];
	bool is_listing; /* on a worker */
	int rc;
	struct err err;
};

static void free_if_over(struct watch *watch)
{
	struct conductor *c = watch->conductor;

	if (watch->x || watch->is_listing)
		return;
	for (size_t i = 0; i < watch->nodes.n; i++)
		if (watch->watched[i].is_open || watch->watched[i].is_asked)
			return;
	free(watch);
	node_job_ends(&c->node);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct watched_node *node = container_of((uv_timer_t *)handle, struct watched_node, timer);

	node->is_open = false;
	free_if_over(node->watch);
}

static void on_gone(void *kept)
{
	struct watch *watch = kept;

	watch->x = NULL;
	if (watch->is_listing) /* nodes are the worker's, and none has a timer yet */
		return;
	for (size_t i = 0; i < watch->nodes.n; i++)
		if (watch->watched[i].is_open)
			uv_close((uv_handle_t *)&watch->watched[i].timer, on_timer_closed);
	free_if_over(watch);
}

static void ask(struct watched_node *node);

static void on_timer(uv_timer_t *timer)
{
	ask(container_of(timer, struct watched_node, timer));
}

static void tell(struct watched_node *node, const struct router_answer *answer)
{
	struct watch *watch = node->watch;
	cJSON *json = router_node_told(&watch->nodes.each[node - watch->watched], answer);

	(void)uv_timer_start(&node->timer, on_timer, ASK_MS, 0);
	(void)events_send(watch->x, "node", json);
	cJSON_Delete(json);
}

static void on_answered(void *owner, const struct router_answer *answer)
{
	struct watched_node *node = owner;

	node->is_asked = false;
	if (node->watch->x)
		tell(node, answer);
	else
		free_if_over(node->watch);
}

static void ask(struct watched_node *node)
{
	struct watch *watch = node->watch;
	const struct router_ask ask = {
		.listen_port = watch->nodes.each[node - watch->watched].listen_port,
		.method = "GET",
		.path = watch->path,
		.timeout_ms = ROUTER_CALL_ASK_MS,
	};

	node->is_asked = true;
	if (router_call_start(watch->conductor, &ask, on_answered, node) == 0)
		return;
	node->is_asked = false;
	(void)uv_timer_start(&node->timer, on_timer, ASK_MS, 0);
}

/* So that who reads knows whom to wait for. */
static void tell_nodes(struct watch *watch)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(json, "nodes");

	for (size_t i = 0; i < watch->nodes.n; i++)
		(void)cJSON_AddItemToArray(array, cJSON_CreateString(watch->nodes.each[i].name));
	(void)events_send(watch->x, "nodes", json);
	cJSON_Delete(json);
}

static void begin(struct watch *watch)
{
	http_reply_stream(watch->x, 200, "text/event-stream");
	tell_nodes(watch);
	for (size_t i = 0; i < watch->nodes.n; i++) {
		struct watched_node *node = &watch->watched[i];

		node->watch = watch;
		node->is_open = true;
		(void)uv_timer_init(&watch->conductor->node.loop, &node->timer);
		ask(node);
	}
}

static void run_list(struct work *work)
{
	struct watch *watch = container_of(work, struct watch, work);

	watch->rc = router_nodes_list(watch->conductor->registry, &watch->nodes, &watch->err);
}

static void on_listed(struct work *work)
{
	struct watch *watch = container_of(work, struct watch, work);

	watch->is_listing = false;
	if (!watch->x) {
		watch->nodes.n = 0;
		free_if_over(watch);
	} else if (watch->rc < 0) {
		watch->nodes.n = 0;
		http_reply_problem(watch->x, router_nodes_status(watch->rc), "%s", watch->err.text);
	} else {
		begin(watch);
	}
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
	if (router_nodes_meant(&watch->nodes, x, &err) < 0) {
		http_reply_problem(x, 400, "%s", err.text);
		free(watch);
		return;
	}
	watch->conductor = c;
	watch->x = x;
	(void)snprintf(watch->path, sizeof(watch->path), "/v1/downloads/%s", version);
	http_exchange_keep(x, watch, on_gone);
	node_job_begins(&c->node);
	watch->is_listing = true;
	work_pool_submit(c->registry_pool, &c->node.loop, &watch->work, run_list, on_listed);
}
