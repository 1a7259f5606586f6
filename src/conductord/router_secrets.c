/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/router_secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/macros.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/registry/registry_secrets.h"
#include "config/config.h"
#include "config/config_secrets.h"

static void wipe_text(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
}

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

/* Checked is what the router will have, with anything in place of what nobody knows here. */
static const char *find_to_check(void *owner, const char *path)
{
	const struct config_secrets *secrets = owner;

	for (size_t i = 0; i < secrets->n; i++)
		if (strcmp(secrets->list[i].path, path) == 0 && secrets->list[i].value)
			return secrets->list[i].value;
	return "known";
}

static int check_whole(const cJSON *configuration, struct config_secrets *secrets, struct err *err)
{
	_cleanup_(wipe_text) char *text = NULL;
	cJSON *whole = cJSON_Duplicate(configuration, true);
	int rc = whole ? config_secrets_put_in(whole, find_to_check, secrets, err)
		       : out_of_memory(err);

	if (rc == 0) {
		text = cJSON_PrintUnformatted(whole);
		rc = text ? config_check_router(text, err) : out_of_memory(err);
	}
	json_wipe_free(whole);
	return rc;
}

static int write_taken(struct registry *registry, const char *router, const cJSON *configuration,
		       const struct config_secrets *secrets, const struct sealing_keys *keys,
		       int64_t revision, const struct registry_origin *origin, struct err *err)
{
	_cleanup_(registry_rows_free) char *text = cJSON_PrintUnformatted(configuration);
	_cleanup_(registry_rows_free) struct registry_secret_value *values =
		calloc(secrets->n + 1, sizeof(*values));
	const struct registry_secret_values all = {
		.list = values, .n = secrets->n, .keys = secrets->n > 0 ? keys : NULL};

	if (!text || !values)
		return out_of_memory(err);
	for (size_t i = 0; i < secrets->n; i++)
		values[i] = (struct registry_secret_value){.path = secrets->list[i].path,
							   .value = secrets->list[i].value};
	return registry_router_set_configuration(registry, router, text, &all, revision, origin,
						 err);
}

int router_secrets_write(struct registry *registry, const char *router, cJSON *configuration,
			 const struct sealing_keys *keys, int64_t revision,
			 const struct registry_origin *origin, struct err *err)
{
	_cleanup_(config_secrets_release) struct config_secrets secrets = {0};
	int rc = config_secrets_take_out(configuration, &secrets, err);

	if (rc == 0)
		rc = check_whole(configuration, &secrets, err);
	if (rc == 0)
		rc = write_taken(registry, router, configuration, &secrets, keys, revision, origin,
				 err);
	return rc;
}

/* What an older version wrote. */

static bool has_readable(const struct config_secrets *secrets)
{
	for (size_t i = 0; i < secrets->n; i++)
		if (secrets->list[i].value)
			return true;
	return false;
}

/* *ret: whether there was something to seal. */
static int take_over_one(struct registry *registry, const char *router,
			 const struct sealing_keys *keys, const struct registry_origin *origin,
			 bool *ret, struct err *err)
{
	_cleanup_(config_secrets_release) struct config_secrets secrets = {0};
	_cleanup_(wipe_text) char *text = NULL;
	cJSON *configuration = NULL;
	int64_t revision;
	int rc = registry_router_get_configuration(registry, router, &text, &revision, err);

	if (rc < 0)
		return rc;
	configuration = cJSON_Parse(text);
	rc = config_secrets_take_out(configuration, &secrets, err);
	*ret = rc == 0 && has_readable(&secrets);
	if (*ret)
		rc = write_taken(registry, router, configuration, &secrets, keys, revision, origin,
				 err);
	json_wipe_free(configuration);
	return rc < 0 ? err_wrap(err, "seal the secrets of router %s", router) : 0;
}

/* A router that was deleted, or configured, meanwhile has none any more. */
static int take_over_listed(struct registry *registry, const struct registry_router *routers,
			    size_t n, const struct sealing_keys *keys,
			    const struct registry_origin *origin, size_t *ret, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		bool did = false;
		int rc = routers[i].revision > 0
				 ? take_over_one(registry, routers[i].name, keys, origin, &did, err)
				 : 0;

		if (rc < 0 && rc != -ENOENT && rc != -EBUSY && rc != -EINVAL)
			return rc;
		*ret += did && rc == 0;
	}
	return 0;
}

int router_secrets_take_over(struct registry *registry, const char *router,
			     const struct sealing_keys *keys, const struct registry_origin *origin,
			     size_t *ret, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_router *routers = NULL;
	size_t n = 0;
	size_t done = 0;
	bool did = false;
	int rc = 0;

	if (router) {
		rc = take_over_one(registry, router, keys, origin, &did, err);
		done = did;
	} else {
		rc = registry_routers_list(registry, &routers, &n, err);
		if (rc == 0)
			rc = take_over_listed(registry, routers, n, keys, origin, &done, err);
	}
	if (rc == 0 && done > 0)
		rc = registry_forget(registry, err);
	if (rc == 0)
		*ret = done;
	return rc;
}

/* Shown. */

int router_secrets_show(struct registry *registry, const char *router, cJSON **ret, struct err *err)
{
	_cleanup_(registry_secret_list_release) struct registry_secret_list list = {0};
	int rc = registry_secrets_list(registry, router, NULL, &list, err);
	cJSON *array = rc == 0 ? cJSON_CreateArray() : NULL;
	cJSON *nodes = NULL;

	for (size_t i = 0; array && i < list.n; i++) {
		const struct registry_secret *row = &list.rows[i];

		if (i == 0 || strcmp(row->path, list.rows[i - 1].path) != 0) {
			cJSON *item = cJSON_CreateObject();

			(void)cJSON_AddStringToObject(item, "path", row->path);
			(void)cJSON_AddNumberToObject(item, "version", (double)row->version);
			nodes = cJSON_AddObjectToObject(item, "nodes");
			(void)cJSON_AddItemToArray(array, item);
		}
		(void)cJSON_AddStringToObject(nodes, row->node, secret_state_name(row->state));
	}
	if (rc == 0)
		*ret = array;
	return rc;
}

/* Sent. */

static bool add_sealed(cJSON *array, const struct registry_secret *row)
{
	char *value = base64_encode(span_of(row->sealed, row->sealed_size));
	cJSON *item = cJSON_CreateObject();
	bool done = value && cJSON_AddStringToObject(item, "path", row->path) &&
		    cJSON_AddNumberToObject(item, "version", (double)row->version) &&
		    cJSON_AddStringToObject(item, "value", value);

	free(value);
	return cJSON_AddItemToArray(array, item) && done;
}

static int print_message(const char *text, const struct registry_secret_list *list, char **ret,
			 struct err *err)
{
	_cleanup_(json_freep) cJSON *body = cJSON_Parse(text);
	cJSON *array = cJSON_AddArrayToObject(body, "sealed");
	bool done = array;

	for (size_t i = 0; done && i < list->n; i++)
		done = add_sealed(array, &list->rows[i]);
	*ret = done ? cJSON_PrintUnformatted(body) : NULL;
	return *ret ? 0 : out_of_memory(err);
}

/* 1 = one waits. */
static int find_missing(const char *router, const char *node,
			const struct registry_secret_list *list, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (list->rows[i].state == SECRET_LOST)
			return err_set(err, -ENOKEY,
				       "%s is to be set again ('configure authority router %s "
				       "software-update source …'): it was sealed before node %s "
				       "had its present keys, and nobody else can read it",
				       list->rows[i].path, router, node);
		if (list->rows[i].state == SECRET_WAITING)
			rc = 1;
	}
	return rc;
}

static bool is_readable(const char *text)
{
	struct config_secrets secrets = {0};
	cJSON *configuration = cJSON_Parse(text);
	/* Two that cannot be told apart are told by who takes over. */
	bool readable = config_secrets_take_out(configuration, &secrets, NULL) < 0 ||
			has_readable(&secrets);

	config_secrets_release(&secrets);
	json_wipe_free(configuration);
	return readable;
}

/* Without secrets in it, also if an older conductor wrote it. */
static int get_text(struct registry *registry, const char *router, const struct sealing_keys *keys,
		    const struct registry_origin *origin, char **ret, int64_t *ret_revision,
		    struct err *err)
{
	size_t n = 0;
	int rc = registry_router_get_configuration(registry, router, ret, ret_revision, err);

	if (rc < 0 || !is_readable(*ret))
		return rc;
	wipe_text(ret);
	*ret = NULL;
	rc = router_secrets_take_over(registry, router, keys, origin, &n, err);
	return rc < 0 ? rc
		      : registry_router_get_configuration(registry, router, ret, ret_revision, err);
}

int router_secrets_compose(struct registry *registry, const char *router, const char *node,
			   const struct sealing_keys *keys, const struct registry_origin *origin,
			   struct router_message *ret, struct err *err)
{
	_cleanup_(registry_secret_list_release) struct registry_secret_list list = {0};
	_cleanup_(registry_rows_free) char *text = NULL;
	struct router_message message = {0};
	int64_t revision = 0;
	int rc = get_text(registry, router, keys, origin, &text, &revision, err);

	if (rc == 0)
		rc = registry_secrets_list(registry, router, node, &list, err);
	if (rc < 0)
		return rc;
	message.is_written = revision > 0;
	message.has_secrets = list.n > 0;
	message.lacks_keys = list.lacks_keys;
	if (!list.lacks_keys)
		rc = find_missing(router, node, &list, err);
	if (rc == 0 && list.n == 0) {
		message.body = text;
		text = NULL;
	} else if (rc == 0 && !list.lacks_keys) {
		rc = print_message(text, &list, &message.body, err);
	}
	if (rc < 0)
		return rc;
	*ret = message;
	return 0;
}
