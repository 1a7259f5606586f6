/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes of the authority: its routers, their nodes, and the configuration that is sent to them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/macros.h"
#include "conductor/registry/registry_router_row.h"
#include "conductord/answer.h"
#include "conductord/pages.h"
#include "conductord/registry_job.h"
#include "conductord/router_secrets.h"
#include "conductord/routes_private.h"
#include "config/config_secrets.h"

/* What the routers of a chunk have, in the order of the routers; the first n are of none before. */
struct belongings {
	struct registry_node *nodes;
	size_t n_nodes;
	size_t at_node;
	struct registry_label *labels;
	size_t n_labels;
	size_t at_label;
};

static void release_belongings(struct belongings *b)
{
	free(b->nodes);
	free(b->labels);
}

/* The router's nodes. One whose router was made in between is left out: it comes with the next
 * list. */
static size_t next_nodes(struct belongings *b, const char *router)
{
	size_t first;

	while (b->at_node < b->n_nodes && strcmp(b->nodes[b->at_node].router, router) < 0)
		b->at_node++;
	first = b->at_node;
	while (b->at_node < b->n_nodes && strcmp(b->nodes[b->at_node].router, router) == 0)
		b->at_node++;
	return b->at_node - first;
}

static size_t next_labels(struct belongings *b, const char *router)
{
	size_t first;

	while (b->at_label < b->n_labels && strcmp(b->labels[b->at_label].router, router) < 0)
		b->at_label++;
	first = b->at_label;
	while (b->at_label < b->n_labels && strcmp(b->labels[b->at_label].router, router) == 0)
		b->at_label++;
	return b->at_label - first;
}

/* If it is asked for. */
static int add_router(const struct registry_job *job, const struct registry_router *router,
		      struct belongings *b, struct list_text *list, struct err *err)
{
	size_t n_nodes = next_nodes(b, router->name);
	size_t n_labels = next_labels(b, router->name);
	const struct registry_label *labels = b->labels + b->at_label - n_labels;

	if (!registry_labels_hold(job->wanted, job->n_wanted, labels, n_labels))
		return 0;
	return list_text_add(
		list,
		answer_router(router, b->nodes + b->at_node - n_nodes, n_nodes, labels, n_labels),
		err);
}

/* Until there are limit more in the list. Returns how many it has looked at in *ret. */
static int add_routers(struct registry_job *job, const struct registry_router *routers, size_t n,
		       size_t limit, struct list_text *list, size_t *ret, struct err *err)
{
	_cleanup_(release_belongings) struct belongings b = {0};
	struct registry *registry = job->conductor->registry;
	const char *first = routers[0].name;
	const char *last = routers[n - 1].name;
	const size_t full = list->n + limit;
	size_t i = 0;
	int rc = registry_nodes_between(registry, first, last, &b.nodes, &b.n_nodes, err);

	if (rc == 0)
		rc = registry_labels_between(registry, first, last, &b.labels, &b.n_labels, err);
	for (; rc == 0 && i < n && list->n < full; i++)
		rc = add_router(job, &routers[i], &b, list, err);
	if (rc == 0)
		*ret = i;
	return rc;
}

/* after: the name of a router. Where labels are asked for, most routers may lack them: so many are
 * read at a time as for a whole list, and there may be more after the last that has them. */
static int read_routers(struct registry_job *job, struct pages_chunk *chunk, struct list_text *list,
			struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_router *routers = NULL;
	const size_t limit = job->n_wanted > 0 ? PAGES_CHUNK : chunk->limit;
	size_t n = 0;
	size_t looked_at = 0;
	int rc = chunk->after[0] ? registry_check_name("after", chunk->after, err) : 0;

	if (rc == 0)
		rc = registry_routers_page(job->conductor->registry, chunk->after, limit + 1,
					   &routers, &n, err);
	chunk->more = false;
	if (rc < 0 || !routers || n == 0)
		return rc;
	rc = add_routers(job, routers, MIN(n, limit), chunk->limit, list, &looked_at, err);
	if (rc < 0)
		return rc;
	(void)snprintf(chunk->after, sizeof(chunk->after), "%s", routers[looked_at - 1].name);
	chunk->more = looked_at < n;
	return 0;
}

static int list_routers(struct registry_job *job, struct err *err)
{
	static const struct pages pages = {.member = "routers", .read = read_routers};

	return pages_answer(job, &pages, err);
}

int routes_show_router(struct registry_job *job, struct err *err)
{
	_cleanup_(release_belongings) struct belongings b = {0};
	struct registry *registry = job->conductor->registry;
	struct registry_router router;
	int rc = registry_router_find(registry, job->router, &router, err);

	if (rc == 0)
		rc = registry_nodes_list(registry, job->router, &b.nodes, &b.n_nodes, err);
	if (rc == 0)
		rc = registry_labels_between(registry, job->router, job->router, &b.labels,
					     &b.n_labels, err);
	if (rc == 0)
		job->json = answer_router(&router, b.nodes, b.n_nodes, b.labels, b.n_labels);
	return rc;
}

static int read_mode(const cJSON *body, struct registry_router_changes *ret, struct err *err)
{
	const char *name;
	int rc;

	ret->sets_mode = cJSON_GetObjectItemCaseSensitive(body, "mode");
	if (!ret->sets_mode)
		return 0;
	rc = json_get_string(body, "mode", 16, &name, err);
	if (rc < 0)
		return rc;
	if (!onboarding_mode_from_name(name, &ret->mode))
		return err_set(err, -EINVAL,
			       "mode: expected disabled, psk-only, weak or strong, found '%s'",
			       name);
	return 0;
}

/* An empty secret means that the conductor makes one. */
static int read_secret(const cJSON *body, struct registry_router_changes *ret, struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "pre-shared-secret");
	const char *secret = cJSON_GetStringValue(item);

	ret->sets_secret = item;
	if (item && !secret)
		return err_set(err, -EINVAL, "pre-shared-secret: expected a string");
	ret->secret = secret && secret[0] ? secret : NULL;
	return 0;
}

/* The whole body is read before anything is written, and all is written in one transaction. */
static int put_router(struct registry_job *job, struct err *err)
{
	static const char *const members[] = {"mode", "pre-shared-secret", NULL};
	struct registry_router_changes changes = {0};
	int rc = json_refuse_others(job->body, members, err);

	if (rc == 0)
		rc = read_secret(job->body, &changes, err);
	if (rc == 0)
		rc = read_mode(job->body, &changes, err);
	job->keys_changed = rc == 0 && changes.sets_mode;
	if (rc == 0)
		rc = registry_router_put(job->conductor->registry, job->router, &changes,
					 &job->origin, err);
	return rc == 0 ? routes_show_router(job, err) : rc;
}

static int delete_router(struct registry_job *job, struct err *err)
{
	job->status = 204;
	job->keys_changed = true;
	return registry_router_delete(job->conductor->registry, job->router, &job->origin, err);
}

static int show_node(struct registry_job *job, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_node *nodes = NULL;
	size_t n;
	int rc = registry_nodes_list(job->conductor->registry, job->router, &nodes, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (strcmp(nodes[i].name, job->node) == 0)
			job->json = answer_node(&nodes[i]);
	if (rc == 0 && !job->json)
		rc = err_set(err, -ENOENT, "router %s has no node %s", job->router, job->node);
	return rc;
}

/* null removes the asset-id. */
static int read_asset_id(const cJSON *body, struct registry_node_changes *ret, struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "asset-id");

	ret->sets_asset_id = item;
	ret->asset_id = cJSON_GetStringValue(item);
	if (item && !cJSON_IsString(item) && !cJSON_IsNull(item))
		return err_set(err, -EINVAL, "asset-id: expected a string or null");
	return 0;
}

/* *ret_key is the memory that ret borrows from; the caller frees it. */
static int read_endorsement_key(const cJSON *body, struct registry_node_changes *ret,
				uint8_t **ret_key, struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "endorsement-key");
	const char *text = cJSON_GetStringValue(item);
	size_t size = 0;

	ret->sets_endorsement_key = item;
	if (item && !text && !cJSON_IsNull(item))
		return err_set(err, -EINVAL, "endorsement-key: expected base64 or null");
	if (text && base64_decode(span_of_string(text), ret_key, &size) < 0)
		return err_set(err, -EINVAL, "endorsement-key: expected base64");
	ret->endorsement_key = span_of(*ret_key, size);
	return 0;
}

static int put_node(struct registry_job *job, struct err *err)
{
	static const char *const members[] = {"asset-id", "endorsement-key", NULL};
	_cleanup_(registry_rows_free) uint8_t *key = NULL;
	struct registry_node_changes changes = {0};
	int rc = json_refuse_others(job->body, members, err);

	if (rc == 0)
		rc = read_asset_id(job->body, &changes, err);
	if (rc == 0)
		rc = read_endorsement_key(job->body, &changes, &key, err);
	job->keys_changed = rc == 0;
	if (rc == 0)
		rc = registry_node_put(job->conductor->registry, job->router, job->node, &changes,
				       &job->origin, err);
	return rc == 0 ? show_node(job, err) : rc;
}

static int delete_node(struct registry_job *job, struct err *err)
{
	job->status = 204;
	job->keys_changed = true;
	return registry_node_delete(job->conductor->registry, job->router, job->node, &job->origin,
				    err);
}

static int reset_node(struct registry_job *job, struct err *err)
{
	int rc = registry_node_reset(job->conductor->registry, job->router, job->node, &job->origin,
				     err);

	job->keys_changed = true;
	return rc == 0 ? show_node(job, err) : rc;
}

static int show_configuration(struct registry_job *job, struct err *err)
{
	struct registry *registry = job->conductor->registry;
	cJSON *secrets = NULL;
	cJSON *configuration;
	char *text = NULL;
	int64_t revision;
	int rc = registry_router_get_configuration(registry, job->router, &text, &revision, err);

	if (rc == 0)
		rc = router_secrets_show(registry, job->router, &secrets, err);
	if (rc < 0) {
		free(text);
		return rc;
	}
	configuration = cJSON_Parse(text);
	(void)config_secrets_hide(configuration,
				  NULL); /* of an older version, until it is sealed */
	job->json = cJSON_CreateObject();
	(void)cJSON_AddNumberToObject(job->json, "revision", (double)revision);
	(void)cJSON_AddItemToObject(job->json, "configuration", configuration);
	(void)cJSON_AddItemToObject(job->json, "secrets", secrets);
	free(text);
	return 0;
}

/* Checks that a conductor may send this configuration to a router. */
static int check_members(const cJSON *body, struct err *err)
{
	static const char *const members[] = {"software-update", "high-availability", NULL};

	return json_refuse_others(body, members, err);
}

/* Starts a visit to each node of the router. */
static int order_visits(struct registry_job *job, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_node *nodes = NULL;
	size_t n;
	int rc = registry_nodes_list(job->conductor->registry, job->router, &nodes, &n, err);

	for (size_t i = 0; rc == 0 && i < n && job->n_visits < REGISTRY_JOB_VISITS_MAX; i++)
		if (nodes[i].enrolled)
			(void)snprintf(job->visits[job->n_visits++], TOKEN_NAME_SIZE, "%s",
				       nodes[i].name);
	return rc;
}

static int put_configuration(struct registry_job *job, struct err *err)
{
	_cleanup_(registry_rows_free) char *old = NULL;
	struct registry *registry = job->conductor->registry;
	int64_t revision;
	int rc = registry_router_get_configuration(registry, job->router, &old, &revision, err);

	if (job->revision >= 0)
		revision = job->revision;
	if (rc == 0)
		rc = check_members(job->body, err);
	if (rc == 0)
		rc = router_secrets_write(registry, job->router, job->body,
					  &job->conductor->own_keys, revision, &job->origin, err);
	if (rc == 0)
		rc = order_visits(job, err);
	return rc == 0 ? show_configuration(job, err) : rc;
}

void routes_get_routers(struct http_exchange *x)
{
	registry_job_start(x, list_routers);
}

void routes_get_router(struct http_exchange *x)
{
	registry_job_start(x, routes_show_router);
}

void routes_put_router(struct http_exchange *x)
{
	registry_job_start(x, put_router);
}

void routes_delete_router(struct http_exchange *x)
{
	registry_job_start(x, delete_router);
}

void routes_get_node(struct http_exchange *x)
{
	registry_job_start(x, show_node);
}

void routes_put_node(struct http_exchange *x)
{
	registry_job_start(x, put_node);
}

void routes_delete_node(struct http_exchange *x)
{
	registry_job_start(x, delete_node);
}

void routes_reset_node(struct http_exchange *x)
{
	registry_job_start(x, reset_node);
}

void routes_get_configuration(struct http_exchange *x)
{
	registry_job_start(x, show_configuration);
}

void routes_put_configuration(struct http_exchange *x)
{
	registry_job_start(x, put_configuration);
}
