/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/onboarding_record.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/kept_file.h"
#include "base/macros.h"

/* A token, eight conductors with their keys, and room. */
#define RECORD_SIZE_MAX (TOKEN_SIZE_MAX + (64u << 10))
#define TOKEN_MEMBER    "token"

static const char *const state_names[] = {
	[ONBOARDING_UNCONFIGURED] = "unconfigured", [ONBOARDING_HANDSHAKING] = "handshaking",
	[ONBOARDING_RETRYING] = "retrying",         [ONBOARDING_REFUSED] = "refused",
	[ONBOARDING_ENROLLED] = "enrolled",         [ONBOARDING_CONNECTED] = "connected",
	[ONBOARDING_INITIALIZING] = "initializing", [ONBOARDING_ONBOARDED] = "onboarded",
};

const char *onboarding_state_name(enum onboarding_state state)
{
	return state_names[state];
}

void onboarding_record_forget_token(struct onboarding_record *record)
{
	onboarding_token_release(record->token);
	record->token = NULL;
}

void onboarding_record_release(struct onboarding_record *record)
{
	onboarding_record_forget_token(record);
	memset(record, 0, sizeof(*record));
}

/* These return false if memory runs out, so that a record without one of its members is never
 * written.
 */

static bool add_number(cJSON *json, const char *name, uint16_t number)
{
	return cJSON_AddNumberToObject(json, name, number) != NULL;
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

static bool add_conductor(cJSON *array, const struct message_conductor *c)
{
	cJSON *item = cJSON_CreateObject();
	const bool ok = cJSON_AddStringToObject(item, "host", c->host) &&
			add_number(item, "port", c->port) &&
			add_number(item, "listen-port", c->listen_port) &&
			add_number(item, "repository-port", c->repository_port) &&
			add_host_keys(item, c);

	return add_item(array, item) && ok;
}

static int read_host_keys(const cJSON *json, struct message_conductor *ret, struct err *err)
{
	const cJSON *array;
	const cJSON *item;
	int rc = json_get_array(json, "ssh-host-keys", &array, err);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		const char *text = cJSON_GetStringValue(item);
		uint8_t *bytes = NULL;
		size_t size = 0;
		bool good = text && ret->n_ssh_host_keys < MESSAGE_HOST_KEYS_MAX &&
			    base64_decode(span_of_string(text), &bytes, &size) == 0 &&
			    size <= SSH_KEY_SIZE_MAX;

		if (good) {
			memcpy(ret->ssh_host_keys[ret->n_ssh_host_keys].bytes, bytes, size);
			ret->ssh_host_keys[ret->n_ssh_host_keys++].size = size;
		}
		free(bytes);
		if (!good)
			return err_set(err, -EBADMSG, "ssh-host-keys: not as it was written");
	}
	return 0;
}

static int read_conductor(const cJSON *json, struct message_conductor *ret, struct err *err)
{
	uint64_t ports[3] = {0};
	const char *host;
	int rc = json_get_string(json, "host", MESSAGE_HOST_SIZE - 1, &host, err);

	if (rc == 0)
		rc = json_get_uint(json, "port", UINT16_MAX, &ports[0], err);
	if (rc == 0)
		rc = json_get_uint(json, "listen-port", UINT16_MAX, &ports[1], err);
	if (rc == 0)
		rc = json_get_uint(json, "repository-port", UINT16_MAX, &ports[2], err);
	if (rc < 0)
		return rc;
	(void)snprintf(ret->host, sizeof(ret->host), "%s", host);
	ret->port = (uint16_t)ports[0];
	ret->listen_port = (uint16_t)ports[1];
	ret->repository_port = (uint16_t)ports[2];
	return read_host_keys(json, ret, err);
}

int onboarding_record_read_hosts(const cJSON *json, struct onboarding_record *ret, struct err *err)
{
	const cJSON *array;
	const cJSON *item;
	int rc = json_get_array(json, "conductor-hosts", &array, err);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		const char *host = cJSON_GetStringValue(item);

		if (ret->n_hosts == ONBOARDING_HOSTS_MAX)
			return err_set(err, -EINVAL, "conductor-hosts: more than %d",
				       ONBOARDING_HOSTS_MAX);
		if (!host || !message_host_is_valid(host))
			return err_set(err, -EINVAL,
				       "conductor-hosts: '%s' is neither a name nor an address",
				       host ? host : "");
		(void)snprintf(ret->hosts[ret->n_hosts++], MESSAGE_HOST_SIZE, "%s", host);
	}
	return ret->n_hosts > 0 ? 0
				: err_set(err, -EINVAL, "conductor-hosts: expected at least one");
}

static int read_state(const cJSON *json, struct onboarding_record *ret, struct err *err)
{
	const char *text = "";
	int rc = json_get_string(json, "state", 16, &text, err);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < N_ELEMENTS(state_names); i++)
		if (strcmp(text, state_names[i]) == 0) {
			ret->state = (enum onboarding_state)i;
			return 0;
		}
	return err_set(err, -EBADMSG, "state: unknown");
}

static int read_conductors(const cJSON *json, struct onboarding_record *ret, struct err *err)
{
	const cJSON *array = NULL;
	const cJSON *item;
	int rc = json_get_array(json, "conductors", &array, err);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		if (ret->n_conductors == MESSAGE_CONDUCTORS_MAX)
			return err_set(err, -EBADMSG, "conductors: too many");
		rc = read_conductor(item, &ret->conductors[ret->n_conductors++], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void copy_member(const cJSON *json, const char *name, char *ret, size_t size)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));

	(void)snprintf(ret, size, "%s", text ? text : "");
}

/* Reads the members that are not there in every state. */
static int read_optional(const cJSON *json, struct onboarding_record *ret, struct err *err)
{
	const char *token =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, TOKEN_MEMBER));
	int rc = json_get_optional_bool(json, "reboot-commanded", &ret->is_reboot_commanded, err);

	if (rc < 0)
		return rc;
	copy_member(json, "reason", ret->reason, sizeof(ret->reason));
	copy_member(json, "jti", ret->jti, sizeof(ret->jti));
	copy_member(json, "handshake-key-exchange", ret->key_exchange, sizeof(ret->key_exchange));
	copy_member(json, "boot-id", ret->boot_id, sizeof(ret->boot_id));
	return token ? onboarding_token_new(&ret->token, token, err) : 0;
}

static int parse(const cJSON *json, struct onboarding_record *ret, struct err *err)
{
	const char *text = "";
	int rc = read_state(json, ret, err);

	if (rc == 0)
		rc = json_get_string(json, "name", TOKEN_NAME_SIZE - 1, &text, err);
	if (rc == 0) {
		(void)snprintf(ret->name, sizeof(ret->name), "%s", text);
		rc = onboarding_record_read_hosts(json, ret, err);
	}
	if (rc == 0)
		rc = json_get_string(json, "minimum-mode", 16, &text, err);
	if (rc == 0 && !onboarding_mode_from_name(text, &ret->minimum_mode))
		rc = err_set(err, -EBADMSG, "minimum-mode: unknown");
	if (rc == 0)
		rc = read_conductors(json, ret, err);
	return rc < 0 ? rc : read_optional(json, ret, err);
}

int onboarding_record_load(struct onboarding_record *ret, const char *directory, const char *file,
			   struct err *err)
{
	struct onboarding_record record = {0};
	char path[PATH_MAX];
	cJSON *json = NULL;
	char *text = NULL;
	size_t size = 0;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, file);
	rc = kept_file_read(directory, file, RECORD_SIZE_MAX, &text, &size, err);
	if (rc < 0)
		return rc;
	rc = json_parse(&json, span_of(text, size), RECORD_SIZE_MAX, err);
	if (rc == 0)
		rc = parse(json, &record, err);
	json_wipe_free(json);
	token_text_free(&text);
	if (rc < 0) {
		onboarding_record_release(&record);
		return err_wrap(err, "%s", path);
	}
	*ret = record;
	return 0;
}

static bool add_names(cJSON *json, const struct onboarding_record *record)
{
	return cJSON_AddStringToObject(json, "state", onboarding_state_name(record->state)) &&
	       (!record->name[0] || cJSON_AddStringToObject(json, "name", record->name)) &&
	       (record->reason[0] ? cJSON_AddStringToObject(json, "reason", record->reason)
				  : cJSON_AddNullToObject(json, "reason")) &&
	       (!record->jti[0] || cJSON_AddStringToObject(json, "jti", record->jti)) &&
	       cJSON_AddStringToObject(json, "minimum-mode",
				       onboarding_mode_name(record->minimum_mode)) &&
	       (record->key_exchange[0] ? cJSON_AddStringToObject(json, "handshake-key-exchange",
								  record->key_exchange)
					: cJSON_AddNullToObject(json, "handshake-key-exchange"));
}

static bool add_shown(cJSON *json, const struct onboarding_record *record)
{
	bool ok = add_names(json, record);
	cJSON *array = cJSON_AddArrayToObject(json, "conductor-hosts");

	ok = ok && array;
	for (size_t i = 0; i < record->n_hosts; i++)
		ok = ok && add_item(array, cJSON_CreateString(record->hosts[i]));
	array = cJSON_AddArrayToObject(json, "conductors");
	ok = ok && array;
	for (size_t i = 0; i < record->n_conductors; i++)
		ok = ok && add_conductor(array, &record->conductors[i]);
	return ok;
}

cJSON *onboarding_record_to_json(const struct onboarding_record *record)
{
	cJSON *json = cJSON_CreateObject();

	(void)add_shown(json, record);
	return json;
}

/* Adds the members that are on disk only and are never shown. */
static bool add_private(cJSON *json, const struct onboarding_record *record)
{
	return (!record->token ||
		cJSON_AddStringToObject(json, TOKEN_MEMBER, record->token->text)) &&
	       (!record->boot_id[0] || cJSON_AddStringToObject(json, "boot-id", record->boot_id)) &&
	       (!record->is_reboot_commanded || cJSON_AddTrueToObject(json, "reboot-commanded"));
}

/* Prints into memory that is large enough from the start: cJSON_Print() would leave copies behind
 * as its buffer grows, and nobody would wipe them. */
static char *print(cJSON *json)
{
	char *text = malloc(RECORD_SIZE_MAX);

	if (text && !cJSON_PrintPreallocated(json, text, RECORD_SIZE_MAX, true))
		token_text_free(&text);
	return text;
}

int onboarding_record_save(const struct onboarding_record *record, const char *directory,
			   const char *file, struct err *err)
{
	cJSON *json = cJSON_CreateObject();
	const bool is_whole = add_shown(json, record) && add_private(json, record);
	char path[PATH_MAX];
	char *text = is_whole ? print(json) : NULL;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, file);
	rc = text ? kept_file_write(directory, file, span_of_string(text), err)
		  : err_set(err, -ENOMEM, "write %s: out of memory", path);
	token_text_free(&text);
	json_wipe_free(json);
	return rc;
}
