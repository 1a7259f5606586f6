/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/onboarding_document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/macros.h"

#define TOKEN_MEMBER "secure-conductor-onboarding-token"
#define SERIAL_FILE  "/sys/class/dmi/id/product_serial"
#define UUID_FILE    "/sys/class/dmi/id/product_uuid"

static bool take_name(const char *name, char ret[TOKEN_NAME_SIZE])
{
	if (!token_name_is_valid(name))
		return false;
	(void)snprintf(ret, TOKEN_NAME_SIZE, "%s", name);
	return true;
}

/* Cuts white space at the end only. Texts as "Default string" or "To be filled by O.E.M." must
 * not turn into a name.
 */
static char *trim(char *text)
{
	size_t size = strlen(text);

	while (size > 0 && strchr(" \t\r\n", text[size - 1]))
		size--;
	text[size] = '\0';
	return text;
}

bool onboarding_document_name_from_file(const char *path, char ret[TOKEN_NAME_SIZE])
{
	char *text = NULL;
	size_t size;
	bool good = file_read(path, 4096, &text, &size, NULL) == 0;

	if (good)
		good = take_name(trim(text), ret);
	free(text);
	return good;
}

/* A name that is not given is the serial number, else the hostname, else the UUID. */
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
	if (onboarding_document_name_from_file(SERIAL_FILE, ret->name) ||
	    (gethostname(host, sizeof(host) - 1) == 0 && take_name(host, ret->name)) ||
	    onboarding_document_name_from_file(UUID_FILE, ret->name))
		return 0;
	return err_set(err, -EINVAL, "name: not given, and this machine has none");
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

/* A token that comes in is read here. A token from the disk is read when it is shown. */
static int read_token(const cJSON *json, struct onboarding_record *record, struct err *err)
{
	const struct token *says;
	const char *text;
	int rc = json_get_string(json, TOKEN_MEMBER, TOKEN_SIZE_MAX, &text, err);

	if (rc == 0)
		rc = onboarding_token_new(&record->token, text, err);
	if (rc < 0)
		return rc;
	rc = onboarding_token_read(record->token, err);
	if (rc < 0)
		return err_wrap(err, "%s", TOKEN_MEMBER);
	says = &record->token->says;
	if (strcmp(says->router, record->name) != 0)
		return err_set(err, -EINVAL, "%s: it is for router %s, this is %s", TOKEN_MEMBER,
			       says->router, record->name);
	(void)snprintf(record->jti, sizeof(record->jti), "%s", says->jti);
	return 0;
}

int onboarding_document_read(struct onboarding_record *ret, struct span document,
			     enum onboarding_mode minimum_mode, struct err *err)
{
	static const char *const members[] = {"mode",       "name",         "conductor-hosts",
					      TOKEN_MEMBER, "minimum-mode", NULL};
	struct onboarding_record record = {
		.state = ONBOARDING_HANDSHAKING,
		.minimum_mode = minimum_mode,
	};
	cJSON *json = NULL;
	int rc = json_parse(&json, document, ONBOARDING_DOCUMENT_MAX, err);

	if (rc == 0 && !cJSON_IsObject(json))
		rc = err_set(err, -EINVAL, "expected a JSON object");
	if (rc == 0)
		rc = json_refuse_others(json, members, err);
	if (rc == 0)
		rc = read_mode(json, &record, err);
	if (rc == 0)
		rc = read_name(json, &record, err);
	if (rc == 0)
		rc = onboarding_record_read_hosts(json, &record, err);
	if (rc == 0)
		rc = read_token(json, &record, err);
	json_wipe_free(json);
	if (rc < 0) {
		onboarding_record_release(&record);
		return rc;
	}
	*ret = record;
	return 0;
}
