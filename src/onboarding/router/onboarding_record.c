/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/onboarding_record.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/kept_file.h"
#include "base/macros.h"

/* A token, all conductors with their keys, and room. */
#define RECORD_SIZE_MAX (TOKEN_SIZE_MAX + (128u << 10))
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

static bool add_item(cJSON *array, cJSON *item)
{
	if (item && cJSON_AddItemToArray(array, item))
		return true;
	cJSON_Delete(item);
	return false;
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
		rc = conductor_list_read(json, &ret->conductors, err);
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
	return ok && conductor_list_add_json(json, &record->conductors);
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
