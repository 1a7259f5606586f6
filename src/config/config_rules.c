/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "config/config_refusal.h"

/* One node, and what is known of it. */
struct judged {
	const struct lyd_node *lyd;
	const char *path;  /* in the tree */
	const char *shown; /* as an operator knows it */
	struct config_faults *faults;
};

/* As it stands in the document, or nearly; the caller frees it. */
static char *shown_value(const struct lyd_node *node)
{
	const struct lyd_node_term *term = (const struct lyd_node_term *)node;
	LY_DATA_TYPE type;
	cJSON *value;
	char *shown;

	if (!(node->schema->nodetype & LYD_NODE_TERM))
		return NULL;
	type = term->value.realtype->basetype;
	value = type == LY_TYPE_STRING || type == LY_TYPE_ENUM
			? cJSON_CreateString(lyd_get_value(node))
			: cJSON_CreateRaw(lyd_get_value(node));
	shown = config_refusal_shown(node->schema, value);
	cJSON_Delete(value);
	return shown;
}

static bool is_in(const struct lysc_node *schema, const struct lysc_node *above)
{
	while (schema && schema != above)
		schema = schema->parent;
	return schema;
}

static bool begins_with_path(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0 && (path[length] == '/' || !path[length]);
}

/* No rule of the model looks into another entry of a list that it is in itself. */
static bool in_same_entry(const struct lyd_node *node, const struct config_fault *fault)
{
	for (; node; node = lyd_parent(node)) {
		char *path;
		bool is_same;

		if (node->schema->nodetype != LYS_LIST || !is_in(fault->schema, node->schema))
			continue;
		path = lyd_path(node, LYD_PATH_STD, NULL, 0);
		is_same = path && begins_with_path(fault->path, path);
		free(path);
		return is_same;
	}
	return true;
}

static bool is_one_of(const struct ly_set *atoms, const struct config_fault *fault)
{
	for (uint32_t i = 0; i < atoms->count; i++)
		if (is_in(atoms->snodes[i], fault->schema))
			return true;
	return false;
}

static bool looks_at_what_is_left_out(const struct judged *j, const struct lysc_must *must)
{
	const struct lysc_node *schema = j->lyd->schema;
	struct ly_set *atoms = NULL;
	bool looks = false;

	if (lys_find_expr_atoms(schema, schema->module, must->cond, must->prefixes,
				LYS_FIND_XP_SCHEMA, &atoms) != LY_SUCCESS)
		return true;
	for (unsigned i = 0; i < MIN(j->faults->n, CONFIG_FAULTS_MAX) && !looks; i++) {
		const struct config_fault *fault = &j->faults->faults[i];

		/* Other values of the leaf-list that it is in itself do not make it right. */
		looks = fault->path && fault->schema != schema && is_one_of(atoms, fault) &&
			in_same_entry(j->lyd, fault);
	}
	ly_set_free(atoms, NULL);
	return looks;
}

static void tell_broken_rule(const struct judged *j, const char *message)
{
	char *value = shown_value(j->lyd);

	if (value)
		config_faults_add(j->faults, "%s is %.*s: %s", j->shown, CONFIG_VALUE_SHOWN, value,
				  message);
	else
		config_faults_add(j->faults, "%s: %s", j->shown, message);
	free(value);
}

static void check_musts(const struct judged *j)
{
	const struct lysc_must *musts = lysc_node_musts(j->lyd->schema);
	LY_ARRAY_COUNT_TYPE i;

	LY_ARRAY_FOR(musts, i)
	{
		ly_bool holds = 1;

		(void)lyd_eval_xpath3(j->lyd, j->lyd->schema->module, lyxp_get_expr(musts[i].cond),
				      LY_VALUE_SCHEMA_RESOLVED, musts[i].prefixes, NULL, &holds);
		if (!holds && !looks_at_what_is_left_out(j, &musts[i]))
			tell_broken_rule(j, musts[i].emsg ? musts[i].emsg : "refused");
	}
}

/* Whether it is accepted or not. */
static bool has_child(const struct judged *j, const struct lysc_node *schema)
{
	struct lyd_node *child = NULL;
	char *path = NULL;
	bool is_left_out;

	if (lyd_find_sibling_val(lyd_child(j->lyd), schema, NULL, 0, &child) == LY_SUCCESS)
		return true;
	if (asprintf(&path, "%s/%s", j->path, schema->name) < 0)
		return true;
	is_left_out = config_faults_count_left_out(j->faults, path) > 0;
	free(path);
	return is_left_out;
}

static void check_mandatory(const struct judged *j)
{
	const struct lysc_node *schema = NULL;

	while ((schema = lys_getnext(schema, j->lyd->schema, NULL, 0)))
		if (schema->nodetype == LYS_LEAF && (schema->flags & LYS_MAND_TRUE) &&
		    !has_child(j, schema))
			config_faults_add(j->faults, "%s: \"%s\" is missing", j->shown,
					  schema->name);
}

static bool is_same_instance(const struct lyd_node *a, const struct lyd_node *b)
{
	const struct lyd_node *key_a = lyd_child(a);
	const struct lyd_node *key_b = lyd_child(b);

	if (a->schema != b->schema)
		return false;
	if (a->schema->nodetype == LYS_LEAFLIST)
		return lyd_compare_single(a, b, 0) == LY_SUCCESS;
	for (; key_a && lysc_is_key(key_a->schema); key_a = key_a->next, key_b = key_b->next)
		if (!key_b || lyd_compare_single(key_a, key_b, 0) != LY_SUCCESS)
			return false;
	return true;
}

/* Of three that are the same the second is told. */
static void check_twice(const struct judged *j)
{
	unsigned n = 0;

	for (const struct lyd_node *other = lyd_first_sibling(j->lyd); other != j->lyd;
	     other = other->next)
		n += is_same_instance(other, j->lyd) ? 1 : 0;
	if (n == 1)
		config_faults_add(j->faults, "%s: stands twice", j->shown);
}

static uint32_t most_of(const struct lysc_node *schema)
{
	return schema->nodetype == LYS_LIST ? ((const struct lysc_node_list *)schema)->max
					    : ((const struct lysc_node_leaflist *)schema)->max;
}

/* All of its name: without a key or value. Frees parent. */
static char *path_below(char *parent, const struct lyd_node *node)
{
	char *path = NULL;

	if (parent && asprintf(&path, "%s/%s", parent, LYD_NAME(node)) < 0)
		path = NULL;
	free(parent);
	return path;
}

/* j is the last that is accepted. */
static void check_number(const struct judged *j)
{
	uint32_t most = most_of(j->lyd->schema);
	const struct lyd_node *other;
	char *path = path_below(lyd_path(lyd_parent(j->lyd), LYD_PATH_STD, NULL, 0), j->lyd);
	char *shown = path_below(config_faults_path(j->faults, lyd_parent(j->lyd)), j->lyd);
	unsigned n = path ? config_faults_count_left_out(j->faults, path) : 0;

	LY_LIST_FOR(lyd_first_sibling(j->lyd), other)
	n += other->schema == j->lyd->schema ? 1 : 0;
	if (shown && n > most)
		config_faults_add(j->faults, "%s: may stand %u times, and stands %u times", shown,
				  most, n);
	free(path);
	free(shown);
}

static void check_node(const struct judged *j)
{
	const struct lyd_node *node = j->lyd;

	check_musts(j);
	if (node->schema->nodetype & (LYS_CONTAINER | LYS_LIST))
		check_mandatory(j);
	if (!(node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST)))
		return;
	check_twice(j);
	if (!node->next || node->next->schema != node->schema)
		check_number(j);
}

void config_rules_check(const struct lyd_node *tree, struct config_faults *faults)
{
	const struct lyd_node *node;

	LYD_TREE_DFS_BEGIN(tree, node)
	{
		char *path = lyd_path(node, LYD_PATH_STD, NULL, 0);
		char *shown = config_faults_path(faults, node);

		if (path && shown && !config_faults_full(faults))
			check_node(&(struct judged){node, path, shown, faults});
		free(path);
		free(shown);
		LYD_TREE_DFS_END(tree, node);
	}
}
