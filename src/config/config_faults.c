#include "config/config_faults.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/url_query.h"
#include "config/config_refusal.h"

#define FAULT_SIZE 512

static void add(const char *fault, struct err *err)
{
	(void)err_set(err, err->code, "%s; %s", err->text, fault);
}

/* By libyang, in its own words. */
static bool is_told(const char *path, const char *message, const struct err *err)
{
	return strstr(err->text, message) && strstr(err->text, path);
}

/* As it stands in the document, or nearly; the caller frees it. */
static char *shown_value(const struct lyd_node *node)
{
	const struct lyd_node_term *term = (const struct lyd_node_term *)node;
	LY_DATA_TYPE type;

	if (!(node->schema->nodetype & LYD_NODE_TERM))
		return NULL;
	type = term->value.realtype->basetype;
	return config_refusal_shown(lyd_get_value(node),
				    type == LY_TYPE_STRING || type == LY_TYPE_ENUM);
}

static void tell_broken_rule(const struct lyd_node *node, const char *path, const char *message,
			     struct err *err)
{
	char fault[FAULT_SIZE];
	char *value = shown_value(node);

	if (value)
		(void)snprintf(fault, sizeof(fault), "%s is %.*s: %s", path, CONFIG_VALUE_SHOWN,
			       value, message);
	else
		(void)snprintf(fault, sizeof(fault), "%s: %s", path, message);
	free(value);
	add(fault, err);
}

static void check_rules(const struct lyd_node *node, const char *path, struct err *err)
{
	const struct lysc_must *musts = lysc_node_musts(node->schema);
	LY_ARRAY_COUNT_TYPE i;

	LY_ARRAY_FOR(musts, i)
	{
		const char *message = musts[i].emsg ? musts[i].emsg : "refused";
		ly_bool holds = 1;

		(void)lyd_eval_xpath3(node, node->schema->module, lyxp_get_expr(musts[i].cond),
				      LY_VALUE_SCHEMA_RESOLVED, musts[i].prefixes, NULL, &holds);
		if (!holds && !is_told(path, message, err))
			tell_broken_rule(node, path, message, err);
	}
}

static bool has_child(const struct lyd_node *node, const struct lysc_node *schema)
{
	struct lyd_node *child = NULL;

	return lyd_find_sibling_val(lyd_child(node), schema, NULL, 0, &child) == LY_SUCCESS;
}

static void check_children(const struct lyd_node *node, const char *path, struct err *err)
{
	const struct lysc_node *schema = NULL;
	char fault[FAULT_SIZE];

	while ((schema = lys_getnext(schema, node->schema, NULL, 0))) {
		if (schema->nodetype != LYS_LEAF || !(schema->flags & LYS_MAND_TRUE) ||
		    has_child(node, schema))
			continue;
		(void)snprintf(fault, sizeof(fault),
			       "Mandatory node \"%s\" instance does not exist.", schema->name);
		if (is_told(path, fault, err))
			continue;
		(void)snprintf(fault, sizeof(fault), "%s: \"%s\" is missing", path, schema->name);
		add(fault, err);
	}
}

void config_faults_add(const struct lyd_node *tree, struct err *err)
{
	uint32_t nothing = 0;
	struct lyd_node *node;

	if (!err || err->code == 0)
		return;
	ly_temp_log_options(&nothing); /* looking is not to be logged */
	LYD_TREE_DFS_BEGIN(tree, node)
	{
		char *path = lyd_path(node, LYD_PATH_STD, NULL, 0);

		if (path) {
			check_rules(node, path, err);
			if (node->schema->nodetype & (LYS_CONTAINER | LYS_LIST))
				check_children(node, path, err);
		}
		free(path);
		LYD_TREE_DFS_END(tree, node);
	}
	ly_temp_log_options(NULL);
	url_queries_hide_in(err);
}
