/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Downloads of a router's nodes, and their signed PCR policies, asked and ordered through their
 * tunnels: of all, or of ?node=. A node that is not connected is told as such, and holds up nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/work_pool.h"
#include "conductord/conductor.h"
#include "conductord/router_call.h"
#include "conductord/router_nodes.h"
#include "conductord/routes_private.h"
#include "download/image/manifest.h"

#define PATH_SIZE 256

struct asked_node {
	struct round *round;
	cJSON *answer; /* what the client is told of this node */
};

/* One request to all nodes that are meant. */
struct round {
	struct work work;
	struct conductor *conductor;
	struct http_exchange *x; /* NULL = nobody waits any more */
	char method[8];
	char path[PATH_SIZE];
	char *body;
	struct router_nodes nodes; /* that are meant */
	struct asked_node asked[ROUTER_NODES_MAX];
	size_t awaited;
	int rc;
	struct err err;
};

static void end_round(struct round *round)
{
	struct conductor *c = round->conductor;

	if (round->x)
		http_exchange_keep(round->x, NULL, NULL);
	for (size_t i = 0; i < round->nodes.n; i++)
		cJSON_Delete(round->asked[i].answer);
	free(round->body);
	free(round);
	node_job_ends(&c->node);
}

static void reply_round(struct round *round)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(json, "nodes");

	for (size_t i = 0; i < round->nodes.n; i++) {
		(void)cJSON_AddItemToArray(array, round->asked[i].answer);
		round->asked[i].answer = NULL;
	}
	if (round->x)
		http_reply_json(round->x, 200, json);
	else
		cJSON_Delete(json);
	end_round(round);
}

static void answered(struct asked_node *asked, cJSON *answer)
{
	struct round *round = asked->round;

	asked->answer = answer;
	if (--round->awaited == 0)
		reply_round(round);
}

static void on_answered(void *owner, const struct router_answer *answer)
{
	struct asked_node *asked = owner;
	struct round *round = asked->round;

	answered(asked, router_node_told(&round->nodes.each[asked - round->asked], answer));
}

/* A request is only for the router that is enrolled as this node now. A router that was enrolled
 * before a reset may be connected for a moment longer, and is not asked. */
static void ask_node(struct round *round, size_t i)
{
	const struct router_node *node = &round->nodes.each[i];
	const struct router_ask ask = {
		.listen_port = node->listen_port,
		.method = round->method,
		.path = round->path,
		.body = round->body,
		/* A router answers an order only when it is on its disk, so this may take longer
		 * than a GET. */
		.timeout_ms = strcmp(round->method, "GET") == 0 ? ROUTER_CALL_ASK_MS
								: ROUTER_CALL_CHANGE_MS,
	};
	struct asked_node *asked = &round->asked[i];

	asked->round = round;
	if (!node->enrolled)
		answered(asked, router_node_not_asked(node, 0, ROUTER_NOT_CONNECTED));
	else if (router_call_start(&round->conductor->calls, &ask, on_answered, asked) < 0)
		answered(asked, router_node_not_asked(node, 0, "out of memory"));
}

static void run_list(struct work *work)
{
	struct round *round = container_of(work, struct round, work);

	round->rc = router_nodes_list(round->conductor->registry, &round->nodes, &round->err);
}

static void on_listed(struct work *work)
{
	struct round *round = container_of(work, struct round, work);
	const size_t n = round->nodes.n;

	if (round->rc < 0) {
		if (round->x)
			http_reply_problem(round->x, router_nodes_status(round->rc), "%s",
					   round->err.text);
		end_round(round);
		return;
	}
	round->awaited = n;
	for (size_t i = 0; i < n; i++)
		ask_node(round, i);
}

static void on_gone(void *kept)
{
	((struct round *)kept)->x = NULL;
}

/* what: "downloads"; action: what follows the version in the path: "", or "/pause". */
static int fill(struct round *round, struct http_exchange *x, const char *what, const char *action,
		struct err *err)
{
	const char *given = http_exchange_parameter(x, "version");
	const char *version = given && given[0] ? given : NULL;
	const struct span body = http_exchange_body(x);
	int rc = router_nodes_meant(&round->nodes, x, err);

	if (rc < 0)
		return rc;
	(void)snprintf(round->method, sizeof(round->method), "%s", http_exchange_method(x));
	if (version && !manifest_name_is_valid(version))
		return err_set(err, -EINVAL, "that is not the name of a version");
	(void)snprintf(round->path, sizeof(round->path), "/v1/%s%s%s%s", what, version ? "/" : "",
		       version ? version : "", action);
	round->body = strndup((const char *)body.bytes, body.size);
	return round->body ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static void ask_all(struct http_exchange *x, const char *what, const char *action)
{
	struct conductor *c = conductor_of(http_exchange_owner(x));
	struct round *round = calloc(1, sizeof(*round));
	struct err err;
	int rc = round ? fill(round, x, what, action, &err)
		       : err_set(&err, -ENOMEM, "out of memory");

	if (rc < 0) {
		http_reply_problem(x, rc == -ENOMEM ? 500 : 400, "%s", err.text);
		free(round);
		return;
	}
	round->conductor = c;
	round->x = x;
	http_exchange_keep(x, round, on_gone);
	node_job_begins(&c->node);
	work_pool_submit(c->registry_pool, &c->node.loop, &round->work, run_list, on_listed);
}

void routes_router_downloads(struct http_exchange *x)
{
	ask_all(x, "downloads", "");
}

void routes_router_history(struct http_exchange *x)
{
	ask_all(x, "downloads", "/history");
}

void routes_router_pause(struct http_exchange *x)
{
	ask_all(x, "downloads", "/pause");
}

void routes_router_resume(struct http_exchange *x)
{
	ask_all(x, "downloads", "/resume");
}

void routes_router_cancel(struct http_exchange *x)
{
	ask_all(x, "downloads", "/cancel");
}

void routes_router_policy(struct http_exchange *x)
{
	ask_all(x, "integrity/policy", "");
}

void routes_router_recovery(struct http_exchange *x)
{
	ask_all(x, "integrity/recovery", "");
}
