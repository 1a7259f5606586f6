#include "onboarding/router/onboarding_record.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/atomic_file.h"
#include "core/base64.h"
#include "core/json.h"
#include "core/macros.h"

#define RECORD_FILE       "onboarding.json"
#define RECORD_SIZE_MAX   (64u << 10)
#define DOCUMENT_SIZE_MAX (128u << 10)
#define SERIAL_FILE       "/sys/class/dmi/id/product_serial"
#define UUID_FILE         "/sys/class/dmi/id/product_uuid"

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

/* An onboarding configuration. */

static bool take_name(const char *name, char ret[TOKEN_NAME_SIZE])
{
	if (!token_name_is_valid(name))
		return false;
	(void)snprintf(ret, TOKEN_NAME_SIZE, "%s", name);
	return true;
}

static bool name_from_file(const char *path, char ret[TOKEN_NAME_SIZE])
{
	char *text = NULL;
	size_t size;
	bool good = file_read(path, 4096, &text, &size, NULL) == 0;

	if (good) {
		text[strcspn(text, " \n")] = '\0';
		good = take_name(text, ret);
	}
	free(text);
	return good;
}

/* Not given: the serial number, else the hostname, else the UUID. */
static int read_name(const cJSON *json, struct onboarding_record *ret, struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, "name");
	char host[TOKEN_NAME_SIZE] = "";

	if (item) {
		const char *name;
		int rc = json_get_string(json, "name", TOKEN_NAME_SIZE - 1, &name, err);

		if (rc < 0)
			return rc;
		return take_name(name, ret->name)
			       ? 0
			       : err_set(err, -EINVAL, "name: '%s' is not the name of a router",
					 name);
	}
	if (name_from_file(SERIAL_FILE, ret->name) ||
	    (gethostname(host, sizeof(host) - 1) == 0 && take_name(host, ret->name)) ||
	    name_from_file(UUID_FILE, ret->name))
		return 0;
	return err_set(err, -EINVAL, "name: not given, and this machine has none");
}

static int read_hosts(const cJSON *json, struct onboarding_record *ret, struct err *err)
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

static int read_mode(const cJSON *json, struct onboarding_record *ret, struct err *err)
{
	const char *mode = "";
	int rc = json_get_string(json, "mode", 32, &mode, err);

	if (rc < 0)
		return rc;
	if (strcmp(mode, "conductor-managed") != 0)
		return err_set(err, -EINVAL, "mode: expected conductor-managed, found '%s'", mode);
	if (!cJSON_GetObjectItemCaseSensitive(json, "minimum-mode"))
		return 0;
	rc = json_get_string(json, "minimum-mode", 16, &mode, err);
	if (rc == 0 && (!onboarding_mode_from_name(mode, &ret->minimum_mode) ||
			ret->minimum_mode == ONBOARDING_DISABLED))
		rc = err_set(err, -EINVAL,
			     "minimum-mode: expected psk-only, weak or strong, found '%s'", mode);
	return rc;
}

static int read_token(const cJSON *json, const struct onboarding_record *record, char **ret,
		      struct err *err)
{
	static const char member[] = "secure-conductor-onboarding-token";
	struct token token = {0};
	const char *text;
	int rc = json_get_string(json, member, TOKEN_SIZE_MAX, &text, err);

	if (rc < 0)
		return rc;
	rc = token_parse(&token, span_of_string(text), err);
	if (rc < 0)
		return err_wrap(err, "%s", member);
	if (strcmp(token.router, record->name) != 0)
		rc = err_set(err, -EINVAL, "%s: it is for router %s, this is %s", member,
			     token.router, record->name);
	token_release(&token);
	if (rc < 0)
		return rc;
	*ret = strdup(text);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int onboarding_record_configure(struct onboarding_record *ret, struct span configuration,
				enum onboarding_mode minimum_mode, char **ret_token,
				struct err *err)
{
	static const char *const members[] = {
		"mode",         "name", "conductor-hosts", "secure-conductor-onboarding-token",
		"minimum-mode", NULL};
	struct onboarding_record record = {
		.state = ONBOARDING_HANDSHAKING,
		.minimum_mode = minimum_mode,
	};
	cJSON *json = NULL;
	int rc = json_parse(&json, configuration, DOCUMENT_SIZE_MAX, err);

	if (rc == 0 && !cJSON_IsObject(json))
		rc = err_set(err, -EINVAL, "expected a JSON object");
	if (rc == 0)
		rc = json_refuse_others(json, members, err);
	if (rc == 0)
		rc = read_mode(json, &record, err);
	if (rc == 0)
		rc = read_name(json, &record, err);
	if (rc == 0)
		rc = read_hosts(json, &record, err);
	if (rc == 0)
		rc = read_token(json, &record, ret_token, err);
	cJSON_Delete(json);
	if (rc < 0)
		return rc;
	*ret = record;
	return 0;
}

/* What is kept. */

static void add_conductor(cJSON *array, const struct message_conductor *c)
{
	cJSON *item = cJSON_CreateObject();
	cJSON *keys;

	(void)cJSON_AddStringToObject(item, "host", c->host);
	(void)cJSON_AddNumberToObject(item, "port", c->port);
	(void)cJSON_AddNumberToObject(item, "listen-port", c->listen_port);
	(void)cJSON_AddNumberToObject(item, "repository-port", c->repository_port);
	keys = cJSON_AddArrayToObject(item, "ssh-host-keys");
	for (unsigned i = 0; i < c->n_ssh_host_keys; i++) {
		char *text =
			base64_encode(span_of(c->ssh_host_keys[i].bytes, c->ssh_host_keys[i].size));

		(void)cJSON_AddItemToArray(keys, cJSON_CreateString(text ? text : ""));
		free(text);
	}
	(void)cJSON_AddItemToArray(array, item);
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

static int parse(const cJSON *json, struct onboarding_record *ret, struct err *err)
{
	const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "reason"));
	const cJSON *array = NULL;
	const cJSON *item;
	const char *text = "";
	int rc = read_state(json, ret, err);

	if (rc == 0)
		rc = read_name(json, ret, err);
	if (rc == 0)
		rc = read_hosts(json, ret, err);
	if (rc == 0)
		rc = json_get_string(json, "minimum-mode", 16, &text, err);
	if (rc == 0 && !onboarding_mode_from_name(text, &ret->minimum_mode))
		rc = err_set(err, -EBADMSG, "minimum-mode: unknown");
	if (rc == 0)
		rc = json_get_array(json, "conductors", &array, err);
	if (rc < 0)
		return rc;
	(void)snprintf(ret->reason, sizeof(ret->reason), "%s", reason ? reason : "");
	cJSON_ArrayForEach (item, array) {
		if (ret->n_conductors == MESSAGE_CONDUCTORS_MAX)
			return err_set(err, -EBADMSG, "conductors: too many");
		rc = read_conductor(item, &ret->conductors[ret->n_conductors++], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int onboarding_record_load(struct onboarding_record *ret, const char *directory, struct err *err)
{
	struct onboarding_record record = {0};
	char path[PATH_MAX];
	cJSON *json = NULL;
	char *text = NULL;
	size_t size = 0;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/" RECORD_FILE, directory);
	rc = file_read(path, RECORD_SIZE_MAX, &text, &size, err);
	if (rc < 0)
		return rc;
	rc = json_parse(&json, span_of(text, size), RECORD_SIZE_MAX, err);
	if (rc == 0)
		rc = parse(json, &record, err);
	cJSON_Delete(json);
	free(text);
	if (rc < 0)
		return err_wrap(err, "%s", path);
	*ret = record;
	return 0;
}

cJSON *onboarding_record_to_json(const struct onboarding_record *record)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *array;

	(void)cJSON_AddStringToObject(json, "state", onboarding_state_name(record->state));
	if (record->name[0])
		(void)cJSON_AddStringToObject(json, "name", record->name);
	if (record->reason[0])
		(void)cJSON_AddStringToObject(json, "reason", record->reason);
	else
		(void)cJSON_AddNullToObject(json, "reason");
	(void)cJSON_AddStringToObject(json, "minimum-mode",
				      onboarding_mode_name(record->minimum_mode));
	array = cJSON_AddArrayToObject(json, "conductor-hosts");
	for (size_t i = 0; i < record->n_hosts; i++)
		(void)cJSON_AddItemToArray(array, cJSON_CreateString(record->hosts[i]));
	array = cJSON_AddArrayToObject(json, "conductors");
	for (size_t i = 0; i < record->n_conductors; i++)
		add_conductor(array, &record->conductors[i]);
	return json;
}

int onboarding_record_save(const struct onboarding_record *record, const char *directory,
			   struct err *err)
{
	cJSON *json = onboarding_record_to_json(record);
	char *text = cJSON_Print(json);
	char path[PATH_MAX];
	int rc;

	(void)snprintf(path, sizeof(path), "%s/" RECORD_FILE, directory);
	rc = text ? atomic_file_write(path, span_of_string(text), 0600, err)
		  : err_set(err, -ENOMEM, "out of memory");
	free(text);
	cJSON_Delete(json);
	return rc;
}
