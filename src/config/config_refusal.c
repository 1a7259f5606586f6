#include "config/config_refusal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/url_query.h"

#define PATH_SIZE       512
#define NAME_SIZE       64
#define CONSTRAINT_SIZE 256

/* "Schema location \"...\", data location \"/steward:router/...\", line number 3." */
static bool data_location(const struct ly_ctx *context, char ret[PATH_SIZE])
{
	const char *text = ly_errpath(context);
	const char *label = text ? strcasestr(text, "data location \"") : NULL;
	const char *begin = label ? label + strlen("data location \"") : NULL;
	const char *end = begin ? strchr(begin, '"') : NULL;

	if (!end || (size_t)(end - begin) >= PATH_SIZE)
		return false;
	memcpy(ret, begin, (size_t)(end - begin));
	ret[end - begin] = '\0';
	return true;
}

/* One step of a path: name, and up to two [key='value']. Returns what follows. */
struct step {
	char name[NAME_SIZE];
	char keys[2][NAME_SIZE];
	char values[2][PATH_SIZE];
	unsigned n_keys;
};

static const char *next_step(const char *path, struct step *ret)
{
	int length = 0;

	memset(ret, 0, sizeof(*ret));
	if (sscanf(path, "/%63[^/[]%n", ret->name, &length) != 1)
		return NULL;
	path += length;
	while (*path == '[' && ret->n_keys < N_ELEMENTS(ret->keys)) {
		char *key = ret->keys[ret->n_keys];
		char *value = ret->values[ret->n_keys];

		length = 0;
		if (sscanf(path, "[%63[^=]='%511[^']']%n", key, value, &length) != 2 || !length)
			return NULL;
		ret->n_keys++;
		path += length;
	}
	return path;
}

static bool has_value(const cJSON *entry, const char *key, const char *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(entry, key);
	char number[32];

	if (!cJSON_IsNumber(item))
		return cJSON_IsString(item) && strcmp(item->valuestring, value) == 0;
	(void)snprintf(number, sizeof(number), "%.0f", item->valuedouble);
	return strcmp(number, value) == 0;
}

static cJSON *find_entry(const cJSON *list, const struct step *step)
{
	cJSON *entry;

	cJSON_ArrayForEach (entry, list) {
		unsigned n = 0;

		while (n < step->n_keys && has_value(entry, step->keys[n], step->values[n]))
			n++;
		if (n == step->n_keys)
			return entry;
	}
	return NULL;
}

static cJSON *find_value(cJSON *document, const char *path)
{
	cJSON *at = document;
	struct step step;

	while (at && *path) {
		path = next_step(path, &step);
		if (!path)
			return NULL;
		at = cJSON_GetObjectItemCaseSensitive(at, step.name);
		if (step.n_keys > 0)
			at = find_entry(at, &step);
	}
	return at;
}

static void numbers(const struct lysc_type *type, char ret[CONSTRAINT_SIZE])
{
	const struct lysc_range *range = ((const struct lysc_type_num *)type)->range;

	if (range && range->emsg)
		(void)snprintf(ret, CONSTRAINT_SIZE, "%s", range->emsg);
	else if (range)
		(void)snprintf(ret, CONSTRAINT_SIZE, "must be %" PRIu64 "..%" PRIu64,
			       range->parts[0].min_u64, range->parts[0].max_u64);
	else
		(void)snprintf(ret, CONSTRAINT_SIZE, "must be a whole number");
}

static void characters(const struct lysc_type *type, char ret[CONSTRAINT_SIZE])
{
	const struct lysc_type_str *string = (const struct lysc_type_str *)type;

	if (string->patterns && string->patterns[0]->emsg)
		(void)snprintf(ret, CONSTRAINT_SIZE, "%s", string->patterns[0]->emsg);
	else if (string->length)
		(void)snprintf(ret, CONSTRAINT_SIZE,
			       "must be text of %" PRIu64 " to %" PRIu64 " characters",
			       string->length->parts[0].min_u64, string->length->parts[0].max_u64);
	else
		(void)snprintf(ret, CONSTRAINT_SIZE, "must be text");
}

static void names(const struct lysc_type *type, char ret[CONSTRAINT_SIZE])
{
	const struct lysc_type_enum *enumeration = (const struct lysc_type_enum *)type;
	int used = snprintf(ret, CONSTRAINT_SIZE, "must be one of");
	LY_ARRAY_COUNT_TYPE i;

	LY_ARRAY_FOR(enumeration->enums, i)
	if (used < CONSTRAINT_SIZE)
		used += snprintf(ret + used, (size_t)(CONSTRAINT_SIZE - used), "%s %s",
				 i ? "," : "", enumeration->enums[i].name);
}

static void constraint_of(const struct lysc_type *type, char ret[CONSTRAINT_SIZE])
{
	ret[0] = '\0';
	/* The last member's range says what the whole union allows. */
	if (type->basetype == LY_TYPE_UNION) {
		const struct lysc_type_union *either = (const struct lysc_type_union *)type;

		type = either->types[LY_ARRAY_COUNT(either->types) - 1];
	}
	switch (type->basetype) {
	case LY_TYPE_UINT8:
	case LY_TYPE_UINT16:
	case LY_TYPE_UINT32:
	case LY_TYPE_UINT64:
		numbers(type, ret);
		return;
	case LY_TYPE_STRING:
		characters(type, ret);
		return;
	case LY_TYPE_ENUM:
		names(type, ret);
		return;
	case LY_TYPE_BOOL:
		(void)snprintf(ret, CONSTRAINT_SIZE, "must be true or false");
		return;
	default:
		return;
	}
}

static const struct lysc_type *type_at(const struct ly_ctx *context, const char *path)
{
	char schema_path[PATH_SIZE] = "";
	const struct lysc_node *node;
	struct step step;

	while (path && *path) {
		size_t used = strlen(schema_path);

		path = next_step(path, &step);
		(void)snprintf(schema_path + used, sizeof(schema_path) - used, "/%s", step.name);
	}
	node = path ? lys_find_path(context, NULL, schema_path, 0) : NULL;
	if (node && node->nodetype == LYS_LEAF)
		return ((const struct lysc_node_leaf *)node)->type;
	if (node && node->nodetype == LYS_LEAFLIST)
		return ((const struct lysc_node_leaflist *)node)->type;
	return NULL;
}

/* What is refused for a password in it, or for the lack of a scheme before one, is not to show it:
 * the refusal goes into the journal. */
static void hide_credentials(char *value)
{
	char *scheme = value ? strstr(value, "://") : NULL;
	char *rest = scheme ? scheme + strlen("://") : value;

	if (rest && (strpbrk(rest, "@?") || strcasestr(rest, "password")))
		(void)snprintf(rest, strlen(rest) + 1, scheme ? "...\"" : "\"...\"");
}

char *config_refusal_shown(const char *text, bool quoted)
{
	cJSON *item = quoted ? cJSON_CreateString(text) : cJSON_CreateRaw(text);
	char *value = item ? cJSON_PrintUnformatted(item) : NULL;

	cJSON_Delete(item);
	hide_credentials(value);
	return value;
}

/* Where the error is, and what stands there; NULL = it is not about one leaf. The caller frees it.
 */
static char *locate(const struct ly_ctx *context, cJSON *document, char path[PATH_SIZE],
		    const struct lysc_type **ret_type)
{
	const cJSON *item;
	char *value;

	if (!data_location(context, path))
		return NULL;
	*ret_type = type_at(context, path);
	item = find_value(document, path);
	value = *ret_type && item ? cJSON_PrintUnformatted(item) : NULL;
	hide_credentials(value);
	return value;
}

static int tell(const struct ly_ctx *context, const char *file, const char *path, const char *value,
		const char *constraint, struct err *err)
{
	const char *where = ly_errpath(context);

	if (value)
		(void)err_set(err, -EINVAL, "%s: %s is %.*s: %s", file, path, CONFIG_VALUE_SHOWN,
			      value, constraint);
	else
		(void)err_set(err, -EINVAL, "%s: %s%s%s%s", file, constraint, where ? " (" : "",
			      where ? where : "", where ? ")" : "");
	url_queries_hide_in(err); /* libyang quotes values, too */
	return -EINVAL;
}

static const char *last_message(const struct ly_ctx *context)
{
	const char *message = ly_errmsg(context);

	return message ? message : "refused";
}

/* So that what else is wrong is found. Entries of a list that have no key yet are not. */
static bool leave_out(cJSON *document, const char *path)
{
	char *parent_path = strdup(path);
	char *last = parent_path ? strrchr(parent_path, '/') : NULL;
	cJSON *item = find_value(document, path);
	cJSON *parent = NULL;

	if (last && item) {
		*last = '\0';
		parent = find_value(document, parent_path);
	}
	free(parent_path);
	if (!item || !cJSON_IsObject(parent))
		return false;
	cJSON_Delete(cJSON_DetachItemViaPointer(parent, item));
	return true;
}

bool config_refusal_of_value(const struct ly_ctx *context, const char *file, cJSON *document,
			     struct err *err)
{
	const struct lysc_type *type = NULL;
	char constraint[CONSTRAINT_SIZE] = "";
	char path[PATH_SIZE];
	char *value = locate(context, document, path, &type);
	bool left_out;

	if (value)
		constraint_of(type, constraint);
	(void)tell(context, file, path, value, constraint[0] ? constraint : last_message(context),
		   err);
	left_out = value && leave_out(document, path);
	free(value);
	return left_out;
}

int config_refusal_of_whole(const struct ly_ctx *context, const char *file, cJSON *document,
			    struct err *err)
{
	const struct lysc_type *type = NULL;
	char path[PATH_SIZE];
	char *value = locate(context, document, path, &type);

	(void)tell(context, file, path, value, last_message(context), err);
	free(value);
	return -EINVAL;
}
