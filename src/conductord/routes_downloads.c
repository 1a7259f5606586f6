/* Downloads of a router's nodes, asked and ordered through their tunnels: of all, or of ?node=. A
 * node that is not connected is told as such, and holds up nobody. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conductord/conductor.h"
#include "conductord/router_call.h"
#include "conductord/routes_private.h"
#include "core/macros.h"
#include "core/work.h"
#include "download/manifest.h"
#include "onboarding/conductor/registry_nodes.h"

#define NODES_MAX TOKEN_ASSET_IDS_MAX /* a router has no more */
#define PATH_SIZE 256

struct round;

struct asked_node {
	struct round *round;
	char name[TOKEN_NAME_SIZE];
	uint16_t listen_port;
	cJSON *answer; /* what is told of it */
};

/* One request to all nodes that are meant. */
struct round {
	struct work work;
	struct conductor *conductor;
	struct http_exchange *x; /* NULL = nobody waits any more */
	char router[TOKEN_NAME_SIZE];
	char only[TOKEN_NAME_SIZE]; /* "" = all */
	char method[8];
	char path[PATH_SIZE];
	char *body;
	struct asked_node nodes[NODES_MAX];
	size_t n;
	size_t awaited;
	int rc;
	struct err err;
};

static void end_round(struct round *round)
{
	struct conductor *c = round->conductor;

	if (round->x)
		http_exchange_keep(round->x, NULL, NULL);
	for (size_t i = 0; i < round->n; i++)
		cJSON_Delete(round->nodes[i].answer);
	free(round->body);
	free(round);
	node_job_ends(&c->node);
}

static void reply_round(struct round *round)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(json, "nodes");

	for (size_t i = 0; i < round->n; i++) {
		(void)cJSON_AddItemToArray(array, round->nodes[i].answer);
		round->nodes[i].answer = NULL;
	}
	if (round->x)
		http_reply_json(round->x, 200, json);
	else
		cJSON_Delete(json);
	end_round(round);
}

/* A problem document's detail, or the whole answer. */
static void add_answer(cJSON *json, const struct router_answer *answer)
{
	cJSON *said = cJSON_ParseWithLength((const char *)answer->body.bytes, answer->body.size);

	if (answer->status < 300) {
		(void)cJSON_AddItemToObject(json, "answer", said ? said : cJSON_CreateNull());
		(void)cJSON_AddNullToObject(json, "error");
		return;
	}
	const char *detail = cJSON_GetStringValue(cJSON_GetObjectItem(said, "detail"));

	(void)cJSON_AddNullToObject(json, "answer");
	(void)cJSON_AddStringToObject(json, "error", detail ? detail : "it answers nonsense");
	cJSON_Delete(said);
}

static void on_answered(void *owner, const struct router_answer *answer)
{
	struct asked_node *node = owner;
	struct round *round = node->round;
	cJSON *json = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(json, "node", node->name);
	(void)cJSON_AddBoolToObject(json, "connected", answer->status > 0);
	(void)cJSON_AddNumberToObject(json, "status", answer->status);
	if (answer->status > 0) {
		add_answer(json, answer);
	} else {
		(void)cJSON_AddNullToObject(json, "answer");
		(void)cJSON_AddStringToObject(json, "error", answer->err.text);
	}
	node->answer = json;
	if (--round->awaited == 0)
		reply_round(round);
}

static void ask_node(struct asked_node *node)
{
	const struct round *round = node->round;
	struct router_answer none = {0};

	if (router_call_start(round->conductor, node->listen_port, round->method, round->path,
			      round->body, on_answered, node) == 0)
		return;
	(void)err_set(&none.err, -ENOMEM, "out of memory");
	on_answered(node, &none);
}

static void run_list(struct work *work)
{
	struct round *round = container_of(work, struct round, work);
	struct registry_node *nodes = NULL;
	size_t n = 0;

	round->rc = registry_nodes_list(round->conductor->registry, round->router, &nodes, &n,
					&round->err);
	for (size_t i = 0; round->rc == 0 && i < n && round->n < NODES_MAX; i++) {
		struct asked_node *node = &round->nodes[round->n];

		if (round->only[0] && strcmp(round->only, nodes[i].name) != 0)
			continue;
		node->round = round;
		memcpy(node->name, nodes[i].name, sizeof(node->name));
		node->listen_port = nodes[i].listen_port;
		round->n++;
	}
	free(nodes);
}

static void on_listed(struct work *work)
{
	struct round *round = container_of(work, struct round, work);
	const size_t n = round->n;

	if (round->rc < 0 || n == 0) {
		if (round->x && round->rc < 0)
			http_reply_problem(round->x, 503, "%s", round->err.text);
		else if (round->x)
			http_reply_problem(round->x, 404, "router %s has no node%s%s",
					   round->router, round->only[0] ? " " : "", round->only);
		end_round(round);
		return;
	}
	round->awaited = n;
	for (size_t i = 0; i < n; i++)
		ask_node(&round->nodes[i]);
}

static void on_gone(void *kept)
{
	((struct round *)kept)->x = NULL;
}

/* action: what follows the version in the path: "", or "/pause". */
static int fill(struct round *round, struct http_exchange *x, const char *action)
{
	const char *given = http_exchange_parameter(x, "version");
	const char *version = given && given[0] ? given : NULL;
	const char *only = http_exchange_query(x, "node");
	const struct span body = http_exchange_body(x);

	(void)snprintf(round->router, sizeof(round->router), "%s",
		       http_exchange_parameter(x, "router"));
	(void)snprintf(round->only, sizeof(round->only), "%s", only ? only : "");
	(void)snprintf(round->method, sizeof(round->method), "%s", http_exchange_method(x));
	if (version && !manifest_name_is_valid(version))
		return -EINVAL;
	(void)snprintf(round->path, sizeof(round->path), "/v1/downloads%s%s%s", version ? "/" : "",
		       version ? version : "", action);
	round->body = strndup((const char *)body.bytes, body.size);
	return round->body ? 0 : -ENOMEM;
}

static void ask_all(struct http_exchange *x, const char *action)
{
	struct conductor *c = conductor_of(http_exchange_owner(x));
	struct round *round = calloc(1, sizeof(*round));

	if (!round || fill(round, x, action) < 0) {
		http_reply_problem(x, round ? 400 : 500,
				   round ? "that is not the name of a version" : "out of memory");
		free(round);
		return;
	}
	round->conductor = c;
	round->x = x;
	http_exchange_keep(x, round, on_gone);
	node_job_begins(&c->node);
	work_submit(&c->node.loop, &round->work, run_list, on_listed);
}

void routes_router_downloads(struct http_exchange *x)
{
	ask_all(x, "");
}

void routes_router_pause(struct http_exchange *x)
{
	ask_all(x, "/pause");
}

void routes_router_resume(struct http_exchange *x)
{
	ask_all(x, "/resume");
}

void routes_router_cancel(struct http_exchange *x)
{
	ask_all(x, "/cancel");
}
