/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_sift.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "config/config_keys.h"
#include "config/config_refusal.h"

#define MODULE       "steward"
#define MODULE_COLON MODULE ":"

struct sift {
	const struct ly_ctx *context;
	struct config_faults *faults;
	struct lyd_node *tree; /* its root is the router or the conductor */
};

/* Where the members of one object belong. */
struct place {
	struct lyd_node *lyd; /* NULL at the top */
	const char *path;     /* of the node, as it is in the tree, and as an operator knows it */
	const char *shown;
};

static const struct lysc_node *child_called(const struct sift *s, const struct lysc_node *parent,
					    const char *name)
{
	const struct lys_module *module = ly_ctx_get_module_implemented(s->context, MODULE);
	const struct lysc_node *child = NULL;
	bool has_module = strncmp(name, MODULE_COLON, strlen(MODULE_COLON)) == 0;

	if (!parent && !has_module)
		return NULL;
	name += has_module ? strlen(MODULE_COLON) : 0;
	while ((child = lys_getnext(child, parent, parent ? NULL : module->compiled, 0)))
		if (strcmp(child->name, name) == 0)
			return child;
	return NULL;
}

/* Put {"name":value} into the tree, if libyang takes it. */
static bool keep(struct sift *s, struct lyd_node *parent, const char *name, cJSON *value)
{
	cJSON *object = cJSON_CreateObject();
	struct ly_in *in = NULL;
	char *text = NULL;
	bool is_kept;

	if (cJSON_AddItemReferenceToObject(object, name, value))
		text = cJSON_PrintUnformatted(object);
	is_kept =
		text && ly_in_new_memory(text, &in) == LY_SUCCESS &&
		lyd_parse_data(s->context, parent, in, LYD_JSON, LYD_PARSE_STRICT | LYD_PARSE_ONLY,
			       0, parent ? NULL : &s->tree) == LY_SUCCESS;
	ly_in_free(in, 0);
	free(text);
	cJSON_Delete(object);
	return is_kept;
}

static void tell(struct sift *s, const char *shown_parent, const struct lysc_node *schema,
		 cJSON *value, const char *why)
{
	char *shown = config_refusal_shown(schema, value);

	config_faults_add(s->faults, "%s/%s is %.*s: %s", shown_parent, schema->name,
			  CONFIG_VALUE_SHOWN, shown ? shown : "?", why);
	free(shown);
}

static void leave_out(struct sift *s, const struct place *at, const struct lysc_node *schema)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", at->path, schema->name) >= 0) {
		config_faults_left_out(s->faults, path, schema);
		free(path);
	}
}

/* Right behind a keep() that refused one value. */
static void tell_constraint(struct sift *s, const char *shown_parent,
			    const struct lysc_node *schema, cJSON *value)
{
	char constraint[CONFIG_CONSTRAINT_SIZE];

	config_refusal_constraint(s->context, schema, constraint);
	tell(s, shown_parent, schema, value, constraint);
}

static void refuse(struct sift *s, const struct place *at, const struct lysc_node *schema,
		   cJSON *value)
{
	tell_constraint(s, at->shown, schema, value);
	leave_out(s, at, schema);
}

/* It is not even an object, or an array, as its place asks for. */
static void refuse_form(struct sift *s, const struct place *at, const struct lysc_node *schema,
			cJSON *value)
{
	if (keep(s, at->lyd, at->lyd ? schema->name : value->string, value))
		return;
	tell(s, at->shown, schema, value, config_refusal_form(schema));
	leave_out(s, at, schema);
}

/* An entry, or a value of a leaf-list. */
static void sift_one_of(struct sift *s, const struct place *at, const struct lysc_node *schema,
			cJSON *value)
{
	cJSON *one = cJSON_CreateArray();

	if (!cJSON_AddItemReferenceToArray(one, value) || !keep(s, at->lyd, schema->name, one))
		refuse(s, at, schema, value);
	cJSON_Delete(one);
}

static void sift_leaf_list(struct sift *s, const struct place *at, const struct lysc_node *schema,
			   cJSON *values)
{
	cJSON *value;

	if (!cJSON_IsArray(values)) {
		refuse_form(s, at, schema, values);
		return;
	}
	cJSON_ArrayForEach (value, values)
		if (!config_faults_full(s->faults))
			sift_one_of(s, at, schema, value);
}

static void sift_members(struct sift *s, const struct place *at, cJSON *object);

static void sift_below(struct sift *s, struct lyd_node *node, cJSON *object)
{
	char *path = lyd_path(node, LYD_PATH_STD, NULL, 0);
	char *shown = config_faults_path(s->faults, node);

	if (path && shown)
		sift_members(s, &(struct place){node, path, shown}, object);
	free(path);
	free(shown);
}

static void sift_container(struct sift *s, const struct place *at, const struct lysc_node *schema,
			   cJSON *object)
{
	cJSON *nothing = cJSON_CreateObject();
	const char *name = at->lyd ? schema->name : object->string;
	struct lyd_node *node = NULL;
	bool is_kept = cJSON_IsObject(object) && keep(s, at->lyd, name, nothing);

	cJSON_Delete(nothing);
	if (!is_kept) {
		refuse_form(s, at, schema, object);
		return;
	}
	if (at->lyd)
		(void)lyd_find_sibling_val(lyd_child(at->lyd), schema, NULL, 0, &node);
	sift_below(s, at->lyd ? node : s->tree, object);
}

/* Lists here are ordered by their user, so the newest entry is the last. */
static struct lyd_node *last_entry(const struct place *at, const struct lysc_node *schema)
{
	struct lyd_node *last = NULL;
	struct lyd_node *child;

	LY_LIST_FOR(lyd_child_no_keys(at->lyd), child)
	if (child->schema == schema)
		last = child;
	return last;
}

/* keys: {"name":value,...}. NULL = refused. */
static struct lyd_node *keep_entry(struct sift *s, const struct place *at,
				   const struct lysc_node *schema, cJSON *keys)
{
	cJSON *entries = cJSON_CreateArray();
	bool is_kept = cJSON_AddItemReferenceToArray(entries, keys) &&
		       keep(s, at->lyd, schema->name, entries);

	cJSON_Delete(entries);
	return is_kept ? last_entry(at, schema) : NULL;
}

static cJSON *keys_of(const struct lysc_node *list, cJSON *entry)
{
	cJSON *keys = cJSON_CreateObject();
	const struct lysc_node *key = NULL;

	while ((key = lys_getnext(key, list, NULL, 0)) && lysc_is_key(key)) {
		cJSON *value = cJSON_GetObjectItemCaseSensitive(entry, key->name);

		if (value)
			(void)cJSON_AddItemReferenceToObject(keys, key->name, value);
	}
	return keys;
}

static cJSON *find_keys_of_ours(struct sift *s, const struct place *at,
				const struct lysc_node *schema, unsigned position)
{
	for (unsigned forms = 0; forms < CONFIG_KEYS_TRIES; forms++) {
		cJSON *keys = config_keys_of_ours(schema, forms, position);
		struct lyd_node *entry = keep_entry(s, at, schema, keys);

		if (entry) {
			lyd_free_tree(entry);
			return keys;
		}
		cJSON_Delete(keys);
	}
	return NULL;
}

/* Does an entry with keys accept value in the place of one of them? Then it is replaced. */
static bool takes_key(struct sift *s, const struct place *at, const struct lysc_node *schema,
		      const char *name, cJSON *value, cJSON *keys)
{
	cJSON *before = cJSON_DetachItemFromObjectCaseSensitive(keys, name);
	struct lyd_node *entry;

	(void)cJSON_AddItemReferenceToObject(keys, name, value);
	entry = keep_entry(s, at, schema, keys);
	if (entry) {
		lyd_free_tree(entry);
		cJSON_Delete(before);
		return true;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(keys, name);
	cJSON_AddItemToObject(keys, name, before);
	return false;
}

/* ours: keys that are accepted. Those of entry that are accepted, too, replace them; the others are
 * faults. shown: the entry. */
static void sift_keys(struct sift *s, const struct place *at, const struct lysc_node *schema,
		      const char *shown, cJSON *entry, cJSON *ours)
{
	const struct lysc_node *key = NULL;

	while ((key = lys_getnext(key, schema, NULL, 0)) && lysc_is_key(key)) {
		cJSON *value = cJSON_GetObjectItemCaseSensitive(entry, key->name);

		if (!value)
			config_faults_add(s->faults, "%s: \"%s\" is missing", shown, key->name);
		else if (!takes_key(s, at, schema, key->name, value, ours))
			tell_constraint(s, shown, key, value);
	}
}

/* So that what else is wrong in it is found. */
static struct lyd_node *keep_under_our_keys(struct sift *s, const struct place *at,
					    const struct lysc_node *schema, cJSON *entry,
					    unsigned position)
{
	cJSON *keys = find_keys_of_ours(s, at, schema, position);
	struct lyd_node *kept = NULL;
	char *shown = NULL;
	char *path = NULL;

	if (keys && asprintf(&shown, "%s/%s[%u]", at->shown, schema->name, position) >= 0) {
		sift_keys(s, at, schema, shown, entry, keys);
		kept = keep_entry(s, at, schema, keys);
		path = kept ? lyd_path(kept, LYD_PATH_STD, NULL, 0) : NULL;
	}
	if (path)
		config_faults_rename(s->faults, path, shown);
	if (keys)
		free(shown);
	free(path);
	cJSON_Delete(keys);
	return kept;
}

static void sift_entry(struct sift *s, const struct place *at, const struct lysc_node *schema,
		       cJSON *entry, unsigned position)
{
	cJSON *keys = keys_of(schema, entry);
	struct lyd_node *node = keep_entry(s, at, schema, keys);

	cJSON_Delete(keys);
	if (!node)
		node = keep_under_our_keys(s, at, schema, entry, position);
	if (node)
		sift_below(s, node, entry);
}

static void sift_list(struct sift *s, const struct place *at, const struct lysc_node *schema,
		      cJSON *entries)
{
	unsigned position = 0;
	cJSON *entry;

	if (!cJSON_IsArray(entries)) {
		refuse_form(s, at, schema, entries);
		return;
	}
	cJSON_ArrayForEach (entry, entries) {
		if (config_faults_full(s->faults))
			return;
		position++;
		if (cJSON_IsObject(entry))
			sift_entry(s, at, schema, entry, position);
		else
			sift_one_of(s, at, schema, entry);
	}
}

static bool stood_before(cJSON *object, cJSON *member)
{
	return cJSON_GetObjectItemCaseSensitive(object, member->string) != member;
}

static void sift_member(struct sift *s, const struct place *at, cJSON *member)
{
	const struct lysc_node *schema =
		child_called(s, at->lyd ? at->lyd->schema : NULL, member->string);

	if (schema && lysc_is_key(schema))
		return; /* the entry is there by it */
	if (!at->lyd && s->tree) {
		config_faults_add(s->faults, "\"%s\" stands beside \"" MODULE_COLON "%s\"",
				  member->string, LYD_NAME(s->tree));
		return;
	}
	/* Not for libyang 2, which does not get over such a member by itself. */
	if (member->string[0] == '@') {
		config_faults_add(s->faults, "%s: \"%s\" is an annotation, and none is used here",
				  at->lyd ? at->shown : "the top", member->string);
		return;
	}
	if (!schema) {
		if (!keep(s, at->lyd, member->string, member))
			config_faults_add(s->faults, "%s: %s", at->lyd ? at->shown : "the top",
					  config_refusal_words(s->context));
		return;
	}
	switch (schema->nodetype) {
	case LYS_CONTAINER:
		sift_container(s, at, schema, member);
		return;
	case LYS_LIST:
		sift_list(s, at, schema, member);
		return;
	case LYS_LEAFLIST:
		sift_leaf_list(s, at, schema, member);
		return;
	default:
		if (!keep(s, at->lyd, schema->name, member))
			refuse(s, at, schema, member);
		return;
	}
}

static void sift_members(struct sift *s, const struct place *at, cJSON *object)
{
	cJSON *member;

	cJSON_ArrayForEach (member, object) {
		if (config_faults_full(s->faults))
			return;
		if (stood_before(object, member))
			config_faults_add(s->faults, "%s: \"%s\" stands twice", at->shown,
					  member->string);
		else
			sift_member(s, at, member);
	}
}

struct lyd_node *config_sift(const struct ly_ctx *context, cJSON *document,
			     struct config_faults *faults)
{
	struct sift s = {.context = context, .faults = faults};
	struct place top = {.path = "", .shown = ""};

	if (cJSON_IsObject(document))
		sift_members(&s, &top, document);
	return s.tree;
}
