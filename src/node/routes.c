/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/routes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"
#include "integrity/signed_policy.h"
#include "integrity/status.h"
#include "node/images.h"
#include "node/import.h"
#include "node/integrity_routes.h"
#include "node/metrics.h"
#include "node/node.h"
#include "node/openapi.h"
#include "node/share.h"

/* Memory for one connection: enough for a GET whose path has two names, and for the head of its
 * reply. tests/bench/fleet counts it for each router. */
#define SHARED_CONNECTION_SIZE (8u << 10)

static struct node *node_of(struct http_exchange *x)
{
	return http_exchange_owner(x);
}

static unsigned status_of(int code)
{
	switch (code) {
	case -EINVAL:
	case -EBADMSG:
		return 400;
	case -ENOENT:
		return 404;
	case -EEXIST:
	case -EBUSY:
		return 409;
	case -ENOSPC:
	case -EDQUOT:
		return 507;
	default:
		return 500;
	}
}

static void reply_error(struct http_exchange *x, const struct err *err)
{
	http_reply_problem(x, status_of(err->code), "%s", err->text);
}

static void reply_ordered(struct http_exchange *x, const char *version)
{
	struct node *n = node_of(x);

	orders_reply(&n->orders, x, download_list_find(n->downloads, version));
}

static void reply_download(struct http_exchange *x, const char *version)
{
	const struct download *d = download_list_find(node_of(x)->downloads, version);

	if (d)
		http_reply_json(x, 200, download_to_json(d));
	else
		http_reply_problem(x, 404, "there is no download of %s", version);
}

static cJSON *count_downloads(const struct node *n)
{
	cJSON *json = cJSON_CreateObject();
	unsigned running = 0;
	unsigned queued = 0;

	for (const struct download *at = download_list_first(n->downloads); at; at = at->next) {
		running += engine_state_is_running(download_state(at));
		queued += download_state(at) == ENGINE_QUEUED;
	}
	cJSON_AddNumberToObject(json, "running", running);
	cJSON_AddNumberToObject(json, "queued", queued);
	return json;
}

static void get_status(struct http_exchange *x)
{
	const struct node *n = node_of(x);
	const struct config_software_update *update = &n->config->software_update;
	cJSON *json = cJSON_CreateObject();
	cJSON *part;

	cJSON_AddStringToObject(json, "version", STEWARD_VERSION);
	cJSON_AddNumberToObject(json, "uptime",
				(double)((download_clock_ms() - n->started_ms) / 1000));
	cJSON_AddItemToObject(json, "name", cJSON_CreateString(n->config->name ?: ""));
	cJSON_AddItemToObject(json, "node", cJSON_CreateString(n->config->node ?: ""));
	part = integrity_status(&n->config->integrity, &n->integrity);
	cJSON_AddStringToObject(json, "configuration-integrity",
				cJSON_GetStringValue(cJSON_GetObjectItem(part, "state")));
	cJSON_Delete(part);
	part = cJSON_AddObjectToObject(json, "software-update");
	cJSON_AddStringToObject(part, "access-mode", access_mode_name(update->access_mode));
	cJSON_AddNumberToObject(part, "max-bandwidth", (double)update->max_bandwidth_bps);
	cJSON_AddItemToObject(part, "bandwidth-in-force", bandwidth_to_json(&n->bandwidth));
	cJSON_AddNumberToObject(part, "images", (double)repository_count(n->repository));
	cJSON_AddItemToObject(part, "downloads", count_downloads(n));
	if (n->program->add_status)
		n->program->add_status(n, json);
	http_reply_json(x, 200, json);
}

static void get_integrity(struct http_exchange *x)
{
	const struct node *n = node_of(x);

	http_reply_json(x, 200, integrity_status(&n->config->integrity, &n->integrity));
}

static void get_versions(struct http_exchange *x)
{
	struct node *n = node_of(x);
	const char *refresh = http_exchange_query(x, "refresh");

	if (refresh && strcmp(refresh, "true") != 0 && strcmp(refresh, "false") != 0) {
		http_reply_problem(x, 400, "refresh: expected true or false, found '%s'", refresh);
		return;
	}
	versions_reply(&n->versions, x, n->config, refresh && strcmp(refresh, "true") == 0);
}

static void get_downloads(struct http_exchange *x)
{
	http_reply_json(x, 200, download_list_to_json(node_of(x)->downloads));
}

static void get_download(struct http_exchange *x)
{
	reply_download(x, http_exchange_parameter(x, "version"));
}

static void get_history(struct http_exchange *x)
{
	const char *version = http_exchange_parameter(x, "version");
	const struct download *d = download_list_find(node_of(x)->downloads, version);

	if (d)
		http_reply_json(x, 200, download_history_to_json(d));
	else
		http_reply_problem(x, 404, "there is no download of %s", version);
}

static void get_pieces(struct http_exchange *x)
{
	const char *version = http_exchange_parameter(x, "version");
	const struct download *d = download_list_find(node_of(x)->downloads, version);
	cJSON *json = d ? download_pieces_to_json(d) : NULL;

	if (json)
		http_reply_json(x, 200, json);
	else if (d)
		http_reply_problem(x, 500, "out of memory");
	else
		http_reply_problem(x, 404, "there is no download of %s", version);
}

/* The body may be missing if all of its members are optional. */
static int parse_body(struct http_exchange *x, const char *const *members, cJSON **ret,
		      struct err *err)
{
	struct span body = http_exchange_body(x);
	int rc;

	if (body.size == 0)
		body = span_of_string("{}");
	rc = json_parse(ret, body, HTTP_BODY_MAX, err);
	if (rc == 0 && !cJSON_IsObject(*ret))
		rc = err_set(err, -EBADMSG, "expected a JSON object");
	return rc < 0 ? rc : json_refuse_others(*ret, members, err);
}

static void reply_created(struct http_exchange *x, const struct download *d)
{
	char location[64 + MANIFEST_NAME_SIZE];

	(void)snprintf(location, sizeof(location), "/v1/downloads/%s", d->version);
	http_reply_json_at(x, 201, location, download_to_json(d));
}

static int read_request(const cJSON *json, struct download_request *ret, struct err *err)
{
	int rc = json_get_string(json, "version", MANIFEST_NAME_SIZE - 1, &ret->version, err);

	if (rc == 0)
		rc = json_get_optional_bool(json, "force", &ret->force, err);
	if (rc == 0)
		rc = json_get_optional_bool(json, "sequenced", &ret->sequenced, err);
	return rc;
}

static void post_download(struct http_exchange *x)
{
	static const char *const members[] = {"version", "force", "sequenced", NULL, 0};
	_cleanup_(json_freep) cJSON *json = NULL;
	struct download_request request = {0};
	const struct download *d;
	struct err err;
	int rc = parse_body(x, members, &json, &err);

	if (rc == 0)
		rc = read_request(json, &request, &err);
	if (rc == 0)
		rc = download_list_request(node_of(x)->downloads, &request, &d, &err);
	if (rc != 0)
		reply_error(x, &err);
	else
		reply_created(x, d);
}

static void post_pause(struct http_exchange *x)
{
	const char *version = http_exchange_parameter(x, "version");
	struct err err;

	if (download_list_pause(node_of(x)->downloads, version, &err) < 0)
		reply_error(x, &err);
	else
		reply_ordered(x, version);
}

static void post_resume(struct http_exchange *x)
{
	const char *version = http_exchange_parameter(x, "version");
	struct err err;

	if (download_list_resume(node_of(x)->downloads, version, &err) < 0)
		reply_error(x, &err);
	else
		reply_ordered(x, version);
}

static void post_cancel(struct http_exchange *x)
{
	static const char *const members[] = {"force", NULL, 0};
	_cleanup_(json_freep) cJSON *json = NULL;
	const char *version = http_exchange_parameter(x, "version");
	bool force = false;
	struct err err;
	int rc = parse_body(x, members, &json, &err);

	if (rc == 0)
		rc = json_get_optional_bool(json, "force", &force, &err);
	if (rc == 0)
		rc = download_list_cancel(node_of(x)->downloads, version, force, &err);
	if (rc < 0)
		reply_error(x, &err);
	else
		reply_ordered(x, version);
}

static void post_reload(struct http_exchange *x)
{
	struct err err;
	cJSON *json;

	if (node_reload(node_of(x), &err) < 0) {
		http_reply_problem(x, 422, "%s", err.text);
		return;
	}
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "result", "reloaded");
	http_reply_json(x, 200, json);
}

static void get_configuration(struct http_exchange *x)
{
	http_reply_text(x, 200, "application/json", node_of(x)->config->text);
}

static void get_events(struct http_exchange *x)
{
	struct node *n = node_of(x);

	events_add_reader(&n->events, x);
}

static void get_metrics(struct http_exchange *x)
{
	metrics_reply(node_of(x), x);
}

static void get_openapi(struct http_exchange *x)
{
	openapi_reply(node_of(x), x);
}

const struct http_route control_routes[] = {
	{"GET", "/v1/openapi.json", HTTP_READS, get_openapi, NULL, 0},
	{"GET", "/v1/status", HTTP_READS, get_status, NULL, 0},
	{"GET", "/v1/versions", HTTP_READS, get_versions, NULL, 0},
	{"GET", "/v1/downloads", HTTP_READS, get_downloads, NULL, 0},
	{"POST", "/v1/downloads", HTTP_CHANGES, post_download, NULL, 0},
	{"GET", "/v1/downloads/{version}", HTTP_READS, get_download, NULL, 0},
	{"GET", "/v1/downloads/{version}/history", HTTP_READS, get_history, NULL, 0},
	{"GET", "/v1/downloads/{version}/pieces", HTTP_READS, get_pieces, NULL, 0},
	{"POST", "/v1/downloads/{version}/pause", HTTP_CHANGES, post_pause, NULL, 0},
	{"POST", "/v1/downloads/{version}/resume", HTTP_CHANGES, post_resume, NULL, 0},
	{"POST", "/v1/downloads/{version}/cancel", HTTP_CHANGES, post_cancel, NULL, 0},
	{"GET", "/v1/images", HTTP_READS, images_list, NULL, 0},
	{"DELETE", "/v1/images/{version}", HTTP_CHANGES, images_delete, NULL, 0},
	{"PUT", "/v1/images/{version}/manifest", HTTP_CHANGES, import_put_manifest, NULL,
	 MANIFEST_SIZE_MAX},
	{"PUT", "/v1/images/{version}/file", HTTP_CHANGES, import_put_file, import_upload_file, 0},
	{"POST", "/v1/images/{version}/verify", HTTP_CHANGES, images_verify, NULL, 0},
	{"POST", "/v1/reload", HTTP_CHANGES, post_reload, NULL, 0},
	{"GET", "/v1/integrity", HTTP_READS, get_integrity, NULL, 0},
	{"GET", "/v1/integrity/recovery", HTTP_READS, integrity_get_recovery, NULL, 0},
	{"PUT", "/v1/integrity/policy", HTTP_CHANGES, integrity_put_policy, NULL,
	 SIGNED_POLICY_SIZE_MAX},
	{"GET", "/v1/configuration", HTTP_READS, get_configuration, NULL, 0},
	{"GET", "/v1/events", HTTP_READS, get_events, NULL, 0},
	{"GET", "/metrics", HTTP_READS, get_metrics, NULL, 0},
};
const size_t n_control_routes = N_ELEMENTS(control_routes);

/* What other nodes may ask of this one: its images, its verified pieces of unfinished images, and
 * how a download stands. Nothing can be changed here. */
const struct http_route shared_routes[] = {
	{"GET", "/index.json", HTTP_READS, share_serve_index, NULL, 0},
	{"GET", "/{version}/{file}", HTTP_READS, share_serve_file, NULL, 0},
	{"GET", "/v1/downloads/{version}", HTTP_READS, get_download, NULL, 0},
};
const size_t n_shared_routes = N_ELEMENTS(shared_routes);

struct http_listener routes_shared_listener(struct node *n)
{
	return (struct http_listener){
		.routes = shared_routes,
		.n_routes = n_shared_routes,
		.connections_max = n->program->shared_connections_max,
		.connection_size = SHARED_CONNECTION_SIZE,
		.owner = n,
	};
}

const struct http_route link_routes[N_LINK_ROUTES] = {
	{"GET", "/v1/status", HTTP_READS, get_status, NULL, 0},
	{"GET", "/v1/downloads", HTTP_READS, get_downloads, NULL, 0},
	{"POST", "/v1/downloads", HTTP_CHANGES, post_download, NULL, 0},
	{"GET", "/v1/downloads/{version}", HTTP_READS, get_download, NULL, 0},
	{"GET", "/v1/downloads/{version}/history", HTTP_READS, get_history, NULL, 0},
	{"POST", "/v1/downloads/{version}/pause", HTTP_CHANGES, post_pause, NULL, 0},
	{"POST", "/v1/downloads/{version}/resume", HTTP_CHANGES, post_resume, NULL, 0},
	{"POST", "/v1/downloads/{version}/cancel", HTTP_CHANGES, post_cancel, NULL, 0},
	{"GET", "/v1/images", HTTP_READS, images_list, NULL, 0},
	{"GET", "/v1/integrity/recovery", HTTP_READS, integrity_get_recovery, NULL, 0},
	{"PUT", "/v1/integrity/policy", HTTP_CHANGES, integrity_put_policy, NULL,
	 SIGNED_POLICY_SIZE_MAX},
};
