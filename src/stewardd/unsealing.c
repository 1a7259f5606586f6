/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardd/unsealing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/macros.h"
#include "config/config_secrets.h"
#include "onboarding/router/node_keys.h"
#include "onboarding/sealed_value.h"

#define PATH_MAX_SIZE   8192
#define SEALED_TEXT_MAX BASE64_LENGTH(SEALED_SIZE_MAX)

static void free_bytes(uint8_t **bytes)
{
	free(*bytes);
}

int unsealing_tell_keys(const char *secrets_directory, cJSON **ret, struct err *err)
{
	struct sealing_keys keys;
	uint8_t list[SEALING_LIST_MAX];
	char *text;
	int rc = node_keys_provide(secrets_directory, &keys, err);

	if (rc < 0)
		return rc;
	text = base64_encode(span_of(list, sealing_keys_print(&keys, SEALING_PUBLIC, list)));
	sealing_keys_release(&keys);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	*ret = cJSON_CreateObject();
	(void)cJSON_AddStringToObject(*ret, "sealing-keys", text);
	free(text);
	return 0;
}

struct opening {
	const char *router;
	struct sealing_keys keys;
	struct config_secrets opened;
};

static void release_opening(struct opening *o)
{
	sealing_keys_release(&o->keys);
	config_secrets_release(&o->opened);
}

/* A value with a zero byte in it is none that a configuration can have. */
static int open_value(struct opening *o, const struct sealed_place *place, const char *text,
		      struct err *err)
{
	_cleanup_(free_bytes) uint8_t *sealed = NULL;
	struct config_secret *secret = &o->opened.list[o->opened.n];
	size_t size = 0;
	char *value = NULL;
	size_t value_size = 0;

	if (base64_decode(span_of_string(text), &sealed, &size) < 0)
		return err_set(err, -EINVAL, "expected base64");
	secret->path = strdup(place->path);
	if (!secret->path)
		return err_set(err, -ENOMEM, "out of memory");
	o->opened.n++;
	if (sealed_value_open(&o->keys, place, span_of(sealed, size), &value, &value_size, err) < 0)
		return err ? err_set(err, -EINVAL, "%s", err->text) : -EINVAL;
	secret->value = value;
	return strlen(value) == value_size ? 0
					   : err_set(err, -EINVAL, "there is a zero byte in it");
}

static int open_item(struct opening *o, const cJSON *item, struct err *err)
{
	static const char *const members[] = {"path", "version", "value", NULL};
	struct sealed_place place = {.router = o->router, .path = ""};
	const char *value = "";
	int rc = json_refuse_others(item, members, err);

	if (rc == 0)
		rc = json_get_string(item, "path", PATH_MAX_SIZE, &place.path, err);
	if (rc == 0)
		rc = json_get_uint(item, "version", JSON_INT_MAX, &place.version, err);
	if (rc == 0)
		rc = json_get_string(item, "value", SEALED_TEXT_MAX, &value, err);
	if (rc < 0)
		return err_wrap(err, "sealed");
	rc = open_value(o, &place, value, err);
	return rc < 0 ? err_wrap(err, "%s", place.path) : 0;
}

static int open_all(struct opening *o, const cJSON *array, struct err *err)
{
	const cJSON *item;
	int rc = 0;

	if (!cJSON_IsArray(array))
		return err_set(err, -EINVAL, "sealed: expected an array");
	o->opened.list = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(*o->opened.list));
	if (!o->opened.list)
		return err_set(err, -ENOMEM, "out of memory");
	cJSON_ArrayForEach (item, array)
		rc = rc < 0 ? rc : open_item(o, item, err);
	return rc;
}

static const char *find_opened(void *owner, const char *path)
{
	const struct config_secrets *opened = owner;

	for (size_t i = 0; i < opened->n; i++) {
		const struct config_secret *secret = &opened->list[i];

		if (secret->path && strcmp(secret->path, path) == 0)
			return secret->value;
	}
	return NULL;
}

/* Each place has its value, and each value its place. */
static int check_places(const cJSON *configuration, struct config_secrets *opened, struct err *err)
{
	_cleanup_(config_secrets_release) struct config_secrets places = {0};
	cJSON *copy = cJSON_Duplicate(configuration, true);
	int rc = copy ? config_secrets_take_out(copy, &places, err)
		      : err_set(err, -ENOMEM, "out of memory");

	json_wipe_free(copy);
	for (size_t i = 0; rc == 0 && i < places.n; i++)
		if (!places.list[i].value && !find_opened(opened, places.list[i].path))
			rc = err_set(err, -EINVAL, "%s: no value came sealed", places.list[i].path);
	for (size_t i = 0; rc == 0 && i < opened->n; i++) {
		size_t n = 0;

		while (n < places.n && (places.list[n].value ||
					strcmp(places.list[n].path, opened->list[i].path) != 0))
			n++;
		if (n == places.n)
			rc = err_set(err, -EINVAL, "%s: a value came for it, and it has no place",
				     opened->list[i].path);
	}
	return rc;
}

int unsealing_open(const char *secrets_directory, const char *router, cJSON *configuration,
		   struct err *err)
{
	_cleanup_(release_opening) struct opening o = {.router = router};
	cJSON *sealed = cJSON_DetachItemFromObjectCaseSensitive(configuration, "sealed");
	int rc;

	if (!sealed)
		return 0;
	rc = node_keys_provide(secrets_directory, &o.keys, err);
	if (rc == 0)
		rc = open_all(&o, sealed, err);
	if (rc == 0)
		rc = check_places(configuration, &o.opened, err);
	if (rc == 0)
		rc = config_secrets_put_in(configuration, find_opened, &o.opened, err);
	cJSON_Delete(sealed);
	return rc;
}
