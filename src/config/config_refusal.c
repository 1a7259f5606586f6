/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_refusal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/config_secrets.h"

#define CONSTRAINT_SIZE CONFIG_CONSTRAINT_SIZE

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

const char *config_refusal_words(const struct ly_ctx *context)
{
	const char *message = ly_errmsg(context);

	return message ? message : "refused";
}

void config_refusal_constraint(const struct ly_ctx *context, const struct lysc_node *schema,
			       char ret[CONFIG_CONSTRAINT_SIZE])
{
	ret[0] = '\0';
	if (schema->nodetype == LYS_LEAF)
		constraint_of(((const struct lysc_node_leaf *)schema)->type, ret);
	else if (schema->nodetype == LYS_LEAFLIST)
		constraint_of(((const struct lysc_node_leaflist *)schema)->type, ret);
	if (!ret[0])
		(void)snprintf(ret, CONSTRAINT_SIZE, "%s", config_refusal_words(context));
}

const char *config_refusal_form(const struct lysc_node *schema)
{
	switch (schema->nodetype) {
	case LYS_CONTAINER:
		return "must be an object, {...}";
	case LYS_LIST:
		return "must be an array of objects, [{...}]";
	default:
		return "must be an array, [...]";
	}
}

/* What is refused for a password in it, or for the lack of a scheme before one, is not to show it:
 * the refusal goes into the journal. Of a secret itself nothing is shown, whatever is wrong. */
static void hide_credentials(char *value)
{
	char *scheme = value ? strstr(value, "://") : NULL;
	char *rest = scheme ? scheme + strlen("://") : value;

	if (rest && (strpbrk(rest, "@?") || strcasestr(rest, "password")))
		(void)snprintf(rest, strlen(rest) + 1, scheme ? "...\"" : "\"...\"");
}

char *config_refusal_shown(const struct lysc_node *schema, const cJSON *value)
{
	char *shown =
		config_is_secret(schema->name) ? strdup("\"...\"") : cJSON_PrintUnformatted(value);

	hide_credentials(shown);
	return shown;
}
