/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/macros.h"

/* A double would round 1.00000000000000001 to a whole number before anyone could see it. */
static bool is_fraction(struct span text, size_t at)
{
	uint8_t c = text.bytes[at];

	return c == '.' || ((c | 0x20) == 'e' && at > 0 && text.bytes[at - 1] >= '0' &&
			    text.bytes[at - 1] <= '9');
}

static int check_shape(struct span text, bool fractions, struct err *err)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.bytes[i];

		if (c == '\0')
			return err_set(err, -EBADMSG, "JSON with a zero byte at %zu", i);
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		in_string = c == '"';
		if (!fractions && is_fraction(text, i))
			return err_set(err, -EBADMSG,
				       "JSON: expected a whole number, found a fraction or an "
				       "exponent at byte %zu",
				       i);
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > JSON_DEPTH_MAX)
			return err_set(err, -EBADMSG, "JSON nested deeper than %d", JSON_DEPTH_MAX);
	}
	return 0;
}

/* A decoded \u0000 would end the C string early and hide what follows. */
static bool has_escaped_zero(struct span text)
{
	return memmem(text.bytes, text.size, "\\u0000", 6) != NULL;
}

/* Objects here have a handful of members, but a stranger's may have 100,000: names are compared
 * only among the first few, and more are refused. */
#define MEMBERS_MAX 64

static int check_names(const cJSON *object, bool doubles, struct err *err)
{
	unsigned n = 0;

	for (const cJSON *a = object->child; a; a = a->next) {
		if (++n > MEMBERS_MAX)
			return err_set(err, -EBADMSG, "JSON object with more than %d members",
				       MEMBERS_MAX);
		for (const cJSON *b = object->child; !doubles && b != a; b = b->next)
			if (strcmp(a->string, b->string) == 0)
				return err_set(err, -EBADMSG, "JSON member \"%s\" stands twice",
					       a->string);
	}
	return 0;
}

/* Recursion is bounded: the depth was checked. */
static int check_all_names(const cJSON *json, bool doubles, struct err *err)
{
	int rc = cJSON_IsObject(json) ? check_names(json, doubles, err) : 0;

	for (const cJSON *child = json->child; child && rc == 0; child = child->next)
		if (child->child)
			rc = check_all_names(child, doubles, err);
	return rc;
}

/* lenient: fractions and doubled names are taken. */
static int parse(cJSON **ret, struct span text, size_t max, bool lenient, struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	const char *end = NULL;
	int rc;

	if (text.size > max)
		return err_set(err, -E2BIG, "longer than the %zu bytes allowed", max);
	rc = check_shape(text, lenient, err);
	if (rc < 0)
		return rc;
	if (has_escaped_zero(text))
		return err_set(err, -EBADMSG, "JSON string with a zero character");
	json = cJSON_ParseWithLengthOpts((const char *)text.bytes, text.size, &end, false);
	if (!json)
		return err_set(err, -EBADMSG, "not JSON: error near byte %zu",
			       end ? (size_t)(end - (const char *)text.bytes) : 0);
	for (const char *at = end; at < (const char *)text.bytes + text.size; at++)
		if (!strchr(" \t\r\n", *at))
			return err_set(err, -EBADMSG, "not JSON: something follows at byte %zu",
				       (size_t)(at - (const char *)text.bytes));
	rc = check_all_names(json, lenient, err);
	if (rc < 0)
		return rc;
	*ret = json;
	json = NULL;
	return 0;
}

int json_parse(cJSON **ret, struct span text, size_t max, struct err *err)
{
	return parse(ret, text, max, false, err);
}

int json_parse_leniently(cJSON **ret, struct span text, size_t max, struct err *err)
{
	return parse(ret, text, max, true, err);
}

void json_freep(cJSON **json)
{
	cJSON_Delete(*json);
}

static void wipe_strings(cJSON *json)
{
	for (cJSON *item = json; item; item = item->next) {
		if (item->valuestring)
			explicit_bzero(item->valuestring, strlen(item->valuestring));
		wipe_strings(item->child);
	}
}

void json_wipe_free(cJSON *json)
{
	wipe_strings(json);
	cJSON_Delete(json);
}

int json_get_string(const cJSON *object, const char *name, size_t max, const char **ret,
		    struct err *err)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
	size_t length = text ? strlen(text) : 0;

	if (!text)
		return err_set(err, -EBADMSG, "\"%s\": expected a string", name);
	if (length == 0 || length > max)
		return err_set(err, -EBADMSG, "\"%s\": expected 1 to %zu characters, found %zu",
			       name, max, length);
	*ret = text;
	return 0;
}

static bool is_uint(const cJSON *item, uint64_t max)
{
	return cJSON_IsNumber(item) && item->valuedouble >= 0 &&
	       item->valuedouble <= (double)MIN(max, JSON_INT_MAX) &&
	       floor(item->valuedouble) == item->valuedouble;
}

int json_get_uint(const cJSON *object, const char *name, uint64_t max, uint64_t *ret,
		  struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (!is_uint(item, max))
		return err_set(err, -EBADMSG, "\"%s\": expected a whole number from 0 to %llu",
			       name, (unsigned long long)MIN(max, JSON_INT_MAX));
	*ret = (uint64_t)item->valuedouble;
	return 0;
}

int json_get_array(const cJSON *object, const char *name, const cJSON **ret, struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (!cJSON_IsArray(item))
		return err_set(err, -EBADMSG, "\"%s\": expected an array", name);
	*ret = item;
	return 0;
}

int json_get_optional_bool(const cJSON *object, const char *name, bool *ret, struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (item && !cJSON_IsBool(item))
		return err_set(err, -EBADMSG, "\"%s\": expected true or false", name);
	if (item)
		*ret = cJSON_IsTrue(item);
	return 0;
}

int json_refuse_others(const cJSON *object, const char *const *names, struct err *err)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, object) {
		const char *const *name = names;

		while (*name && strcmp(*name, item->string) != 0)
			name++;
		if (!*name)
			return err_set(err, -EBADMSG, "unknown member \"%s\"", item->string);
	}
	return 0;
}

uint64_t json_counter(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return is_uint(item, JSON_INT_MAX) ? (uint64_t)item->valuedouble : 0;
}
