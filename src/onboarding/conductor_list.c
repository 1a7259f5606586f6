/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/conductor_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/macros.h"

#define VERSION_MEMBER "conductors-version"
#define LIST_MEMBER    "conductors"

bool conductor_is_same_way(const struct message_conductor *a, const struct message_conductor *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port &&
	       a->listen_port == b->listen_port && a->repository_port == b->repository_port;
}

bool conductor_has_key(const struct message_conductor *c, const struct message_host_key *key)
{
	for (unsigned i = 0; i < c->n_ssh_host_keys; i++)
		if (c->ssh_host_keys[i].size == key->size &&
		    memcmp(c->ssh_host_keys[i].bytes, key->bytes, key->size) == 0)
			return true;
	return false;
}

bool conductor_has_same_keys(const struct message_conductor *a, const struct message_conductor *b)
{
	for (unsigned i = 0; i < a->n_ssh_host_keys; i++)
		if (!conductor_has_key(b, &a->ssh_host_keys[i]))
			return false;
	return a->n_ssh_host_keys == b->n_ssh_host_keys;
}

/* These return false if memory runs out, so that a list without one of its members is never
 * written. */

static bool add_number(cJSON *json, const char *name, uint64_t number)
{
	return cJSON_AddNumberToObject(json, name, (double)number) != NULL;
}

static bool add_item(cJSON *array, cJSON *item)
{
	if (item && cJSON_AddItemToArray(array, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool add_host_keys(cJSON *json, const struct message_conductor *c)
{
	cJSON *keys = cJSON_AddArrayToObject(json, "ssh-host-keys");
	bool ok = keys != NULL;

	for (unsigned i = 0; ok && i < c->n_ssh_host_keys; i++) {
		char *text =
			base64_encode(span_of(c->ssh_host_keys[i].bytes, c->ssh_host_keys[i].size));

		ok = text && add_item(keys, cJSON_CreateString(text));
		free(text);
	}
	return ok;
}

static bool add_conductor(cJSON *array, const struct known_conductor *known)
{
	const struct message_conductor *c = &known->at;
	cJSON *item = cJSON_CreateObject();
	const bool ok =
		(!known->name[0] || cJSON_AddStringToObject(item, "name", known->name)) &&
		cJSON_AddStringToObject(item, "host", c->host) &&
		add_number(item, "port", c->port) &&
		add_number(item, "listen-port", c->listen_port) &&
		add_number(item, "repository-port", c->repository_port) && add_host_keys(item, c) &&
		(!known->leaves || cJSON_AddTrueToObject(item, "leaving")) &&
		(known->unreachable_since_s <= 0 ||
		 add_number(item, "unreachable-since", (uint64_t)known->unreachable_since_s));

	return add_item(array, item) && ok;
}

bool conductor_list_add_json(cJSON *json, const struct conductor_list *list)
{
	cJSON *array = NULL;
	bool ok = list->version == 0 || add_number(json, VERSION_MEMBER, list->version);

	if (ok)
		array = cJSON_AddArrayToObject(json, LIST_MEMBER);
	ok = array != NULL;
	for (size_t i = 0; ok && i < list->n; i++)
		ok = add_conductor(array, &list->each[i]);
	return ok;
}

static bool read_host_key(const cJSON *item, struct message_conductor *ret)
{
	const char *text = cJSON_GetStringValue(item);
	struct message_host_key *key = &ret->ssh_host_keys[ret->n_ssh_host_keys];
	uint8_t *bytes = NULL;
	size_t size = 0;
	const bool good = text && base64_decode(span_of_string(text), &bytes, &size) == 0 &&
			  size <= sizeof(key->bytes) && ssh_key_type(span_of(bytes, size));

	if (good) {
		memcpy(key->bytes, bytes, size);
		key->size = size;
		ret->n_ssh_host_keys++;
	}
	free(bytes);
	return good;
}

static int read_host_keys(const cJSON *json, struct message_conductor *ret, struct err *err)
{
	const cJSON *array;
	const cJSON *item;
	int rc = json_get_array(json, "ssh-host-keys", &array, err);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		if (ret->n_ssh_host_keys == MESSAGE_HOST_KEYS_MAX)
			return err_set(err, -EBADMSG, "ssh-host-keys: more than %u",
				       MESSAGE_HOST_KEYS_MAX);
		if (!read_host_key(item, ret))
			return err_set(err, -EBADMSG, "ssh-host-keys: not an SSH public key");
	}
	return 0;
}

static int read_port(const cJSON *json, const char *name, uint16_t *ret, struct err *err)
{
	uint64_t port = 0;
	int rc = json_get_uint(json, name, UINT16_MAX, &port, err);

	if (rc == 0)
		*ret = (uint16_t)port;
	return rc;
}

static int read_conductor(const cJSON *json, struct known_conductor *ret, struct err *err)
{
	const char *text = "";
	int rc;

	ret->unreachable_since_s = (int64_t)json_counter(json, "unreachable-since");
	rc = json_get_string(json, "host", MESSAGE_HOST_SIZE - 1, &text, err);

	if (rc == 0)
		rc = read_port(json, "port", &ret->at.port, err);
	if (rc == 0)
		rc = read_port(json, "listen-port", &ret->at.listen_port, err);
	if (rc == 0)
		rc = read_port(json, "repository-port", &ret->at.repository_port, err);
	if (rc < 0)
		return rc;
	(void)snprintf(ret->at.host, sizeof(ret->at.host), "%s", text);
	if (cJSON_HasObjectItem(json, "name")) {
		rc = json_get_string(json, "name", TOKEN_NAME_SIZE - 1, &text, err);
		if (rc < 0)
			return rc;
		(void)snprintf(ret->name, sizeof(ret->name), "%s", text);
	}
	rc = json_get_optional_bool(json, "leaving", &ret->leaves, err);
	return rc < 0 ? rc : read_host_keys(json, &ret->at, err);
}

int conductor_list_read(const cJSON *json, struct conductor_list *ret, struct err *err)
{
	struct conductor_list list = {0};
	const cJSON *array = NULL;
	const cJSON *item;
	int rc = json_get_array(json, LIST_MEMBER, &array, err);

	if (rc == 0 && cJSON_HasObjectItem(json, VERSION_MEMBER))
		rc = json_get_uint(json, VERSION_MEMBER, JSON_INT_MAX, &list.version, err);
	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		if (list.n == KNOWN_CONDUCTORS_MAX)
			return err_set(err, -EBADMSG, LIST_MEMBER ": more than %zu",
				       KNOWN_CONDUCTORS_MAX);
		rc = read_conductor(item, &list.each[list.n++], err);
		if (rc < 0)
			return err_wrap(err, LIST_MEMBER);
	}
	*ret = list;
	return 0;
}

/* What somebody else tells. */

static int check_members(const cJSON *json, struct err *err)
{
	static const char *const members[] = {VERSION_MEMBER, LIST_MEMBER, NULL};
	static const char *const of_each[] = {
		"name", "host", "port", "listen-port", "ssh-host-keys", "repository-port", NULL};
	const cJSON *item;
	int rc = cJSON_IsObject(json) ? json_refuse_others(json, members, err)
				      : err_set(err, -EBADMSG, "expected a JSON object");

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(json, LIST_MEMBER)) {
		rc = cJSON_IsObject(item) ? json_refuse_others(item, of_each, err)
					  : err_set(err, -EBADMSG, "expected a JSON object");
		if (rc < 0)
			return err_wrap(err, LIST_MEMBER);
	}
	return 0;
}

static int check_conductor(const struct known_conductor *known, struct err *err)
{
	const struct message_conductor *c = &known->at;

	if (!token_name_is_valid(known->name))
		return err_set(err, -EBADMSG, "'%s' is not the name of a conductor", known->name);
	if (!message_host_is_valid(c->host))
		return err_set(err, -EBADMSG, "%s: '%s' is neither a name nor an address",
			       known->name, c->host);
	if (!c->port || !c->listen_port || !c->repository_port)
		return err_set(err, -EBADMSG, "%s: a port that is 0", known->name);
	return c->n_ssh_host_keys > 0
		       ? 0
		       : err_set(err, -EBADMSG, "%s: no SSH host key, and no tunnel without one",
				 known->name);
}

static int check_apart(const struct known_conductor *a, const struct known_conductor *b,
		       struct err *err)
{
	if (strcmp(a->name, b->name) == 0)
		return err_set(err, -EBADMSG, "%s is listed twice", a->name);
	if (strcmp(a->at.host, b->at.host) == 0 && a->at.port == b->at.port)
		return err_set(err, -EBADMSG, "%s and %s have one address, %s port %u", a->name,
			       b->name, a->at.host, a->at.port);
	return 0;
}

static int check_list(const struct conductor_list *list, struct err *err)
{
	int rc = 0;

	if (list->version == 0)
		return err_set(err, -EBADMSG, VERSION_MEMBER ": expected 1 or more");
	if (list->n == 0 || list->n > MESSAGE_CONDUCTORS_MAX)
		return err_set(err, -EBADMSG, LIST_MEMBER ": %zu, expected 1 to %u", list->n,
			       MESSAGE_CONDUCTORS_MAX);
	for (size_t i = 0; rc == 0 && i < list->n; i++) {
		rc = check_conductor(&list->each[i], err);
		for (size_t k = 0; rc == 0 && k < i; k++)
			rc = check_apart(&list->each[k], &list->each[i], err);
	}
	return rc < 0 ? err_wrap(err, LIST_MEMBER) : 0;
}

int conductor_list_read_told(const cJSON *json, struct conductor_list *ret, struct err *err)
{
	struct conductor_list list;
	int rc = check_members(json, err);

	if (rc == 0)
		rc = conductor_list_read(json, &list, err);
	if (rc == 0)
		rc = check_list(&list, err);
	if (rc == 0)
		*ret = list;
	return rc;
}
