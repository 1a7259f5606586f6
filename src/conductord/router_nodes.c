/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/router_nodes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "conductor/registry/registry_nodes.h"

int router_nodes_mean(struct router_nodes *ret, const char *router, const char *only,
		      struct err *err)
{
	if (!token_name_is_valid(router))
		return err_set(err, -EINVAL, "router: '%s' is not the name of a router", router);
	if (only && !token_name_is_valid(only))
		return err_set(err, -EINVAL, "node: '%s' is not the name of a node", only);
	(void)snprintf(ret->router, sizeof(ret->router), "%s", router);
	(void)snprintf(ret->only, sizeof(ret->only), "%s", only ? only : "");
	ret->n = 0;
	return 0;
}

int router_nodes_meant(struct router_nodes *ret, const struct http_exchange *x, struct err *err)
{
	return router_nodes_mean(ret, http_exchange_parameter(x, "router"),
				 http_exchange_query(x, "node"), err);
}

int router_nodes_list(struct registry *registry, struct router_nodes *nodes, struct err *err)
{
	struct registry_node *rows = NULL;
	size_t n = 0;
	int rc = registry_nodes_list(registry, nodes->router, &rows, &n, err);

	for (size_t i = 0; rc == 0 && i < n && nodes->n < ROUTER_NODES_MAX; i++) {
		struct router_node *node = &nodes->each[nodes->n];

		if (nodes->only[0] && strcmp(nodes->only, rows[i].name) != 0)
			continue;
		memcpy(node->name, rows[i].name, sizeof(node->name));
		node->listen_port = rows[i].listen_port;
		node->enrolled = rows[i].enrolled;
		memcpy(node->ssh_key, rows[i].ssh_key, sizeof(node->ssh_key));
		nodes->n++;
	}
	free(rows);
	if (rc == 0 && nodes->n == 0)
		rc = err_set(err, -ENOENT, "router %s has no node%s%s", nodes->router,
			     nodes->only[0] ? " " : "", nodes->only);
	return rc;
}

const struct router_node *router_nodes_find(const struct router_nodes *nodes, const char *name)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (strcmp(nodes->each[i].name, name) == 0)
			return &nodes->each[i];
	return NULL;
}

const char *router_node_end(const struct router_node *was, const struct router_nodes *now)
{
	const struct router_node *is = router_nodes_find(now, was->name);

	if (!is)
		return "it was deleted meanwhile";
	if (is->listen_port != was->listen_port)
		return "it was deleted and made again meanwhile";
	if (!was->enrolled)
		return NULL;
	if (!is->enrolled)
		return "its enrolment has ended: it was reset or disabled, or deleted and made "
		       "again";
	return memcmp(is->ssh_key, was->ssh_key, sizeof(is->ssh_key)) == 0
		       ? NULL
		       : "it was enrolled anew meanwhile, with another key";
}

unsigned router_nodes_status(int rc)
{
	return rc == -ENOENT ? 404 : 503;
}

static void add_error(cJSON *json, const char *error)
{
	(void)cJSON_AddNullToObject(json, "answer");
	(void)cJSON_AddStringToObject(json, "error", error);
}

static void add_refusal(cJSON *json, int status, const cJSON *said)
{
	const char *detail = cJSON_GetStringValue(cJSON_GetObjectItem(said, "detail"));
	char text[64];

	(void)snprintf(text, sizeof(text), "it answers HTTP %d, and does not say why", status);
	add_error(json, detail ? detail : text);
}

/* Adds the detail of a problem document, or else the whole answer. */
static void add_answer(cJSON *json, const struct router_answer *answer)
{
	cJSON *said = NULL;
	struct err err;
	int rc = 0;

	if (answer->body.size > 0)
		rc = json_parse(&said, answer->body, ROUTER_ANSWER_MAX, &err);
	if (rc < 0) {
		(void)err_wrap(&err, "its answer, HTTP %d, cannot be read", answer->status);
		add_error(json, err.text);
		return;
	}
	if (answer->status < 300) {
		(void)cJSON_AddItemToObject(json, "answer", said ? said : cJSON_CreateNull());
		(void)cJSON_AddNullToObject(json, "error");
		return;
	}
	add_refusal(json, answer->status, said);
	cJSON_Delete(said);
}

static cJSON *new_told(const struct router_node *node, bool connected, int status)
{
	cJSON *json = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(json, "node", node->name);
	(void)cJSON_AddBoolToObject(json, "connected", connected);
	(void)cJSON_AddNumberToObject(json, "status", status);
	return json;
}

cJSON *router_node_told(const struct router_node *node, const struct router_answer *answer)
{
	cJSON *json = new_told(node, answer->status > 0, answer->status);

	if (answer->status > 0)
		add_answer(json, answer);
	else
		add_error(json, answer->err.text);
	return json;
}

cJSON *router_node_not_asked(const struct router_node *node, unsigned status, const char *why)
{
	cJSON *json = new_told(node, false, (int)status);

	add_error(json, why);
	return json;
}
