/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_edit.h"

#include <errno.h>
#include <libyang/libyang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"
#include "config/config_context.h"
#include "config/config_secrets.h"

#define ROUTER        "steward:router"
#define PATH_MAX_SIZE 1024
#define NAMES_SIZE    256

struct edit {
	enum config_change change;
	const struct ly_ctx *context;
	struct lyd_node *tree;
	const char *const *words; /* the words that are still to be read */
	size_t n_words;
	const struct lysc_node *at; /* the container or list that we are in */
	char path[PATH_MAX_SIZE];   /* of that container or list */
};

static const char *take_word(struct edit *edit)
{
	edit->n_words--;
	return *edit->words++;
}

static void add_name(char names[NAMES_SIZE], const char *name)
{
	size_t used = strlen(names);

	(void)snprintf(names + used, NAMES_SIZE - used, "%s%s", used ? ", " : "", name);
}

/* NULL with err filled: none, or several. */
static const struct lysc_node *find_child(const struct edit *edit, const char *typed,
					  struct err *err)
{
	const struct lysc_node *child = NULL;
	const struct lysc_node *found = NULL;
	char fitting[NAMES_SIZE] = "";
	char possible[NAMES_SIZE] = "";
	unsigned n = 0;

	while ((child = lys_getnext(child, edit->at, NULL, 0))) {
		if (strcmp(child->name, typed) == 0)
			return child;
		add_name(possible, child->name);
		if (strncmp(child->name, typed, strlen(typed)) != 0)
			continue;
		add_name(fitting, child->name);
		found = child;
		n++;
	}
	if (n == 1)
		return found;
	(void)err_set(err, -EINVAL,
		      n > 1 ? "%s: ambiguous name '%s': %s"
			    : "%s: unknown name '%s', expected one of: %s",
		      edit->at->name, typed, n > 1 ? fitting : possible);
	return NULL;
}

static int append(struct edit *edit, const char *part, const char *name, struct err *err)
{
	size_t used = strlen(edit->path);

	if (used + strlen(part) >= sizeof(edit->path))
		return err_set(err, -EINVAL, "%s: what stands here is too long", name);
	(void)strcpy(edit->path + used, part);
	return 0;
}

/* In a path a value is in quotes, so it is put between those that it does not contain. */
static int append_key(struct edit *edit, const char *name, const char *value, struct err *err)
{
	const char *quote = strchr(value, '\'') ? "\"" : "'";
	char *part;
	int rc;

	if (strchr(value, quote[0]))
		return err_set(err, -EINVAL, "%s: '%s' has two kinds of quotes in it", name, value);
	if (asprintf(&part, "[%s=%s%s%s]", name, quote, value, quote) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	rc = append(edit, part, name, err);
	free(part);
	return rc;
}

static int enter_list(struct edit *edit, const struct lysc_node *list, struct err *err)
{
	const struct lysc_node *key = NULL;
	int rc = 0;

	while (rc == 0 && (key = lys_getnext(key, list, NULL, 0)) && lysc_is_key(key)) {
		if (edit->n_words == 0)
			return err_set(err, -EINVAL, "%s: its %s is missing", list->name,
				       key->name);
		rc = append_key(edit, key->name, take_word(edit), err);
	}
	return rc;
}

/* On a terminal somebody may look over a shoulder. */
static const char *shown_of(const char *path, const char *value)
{
	if (!value)
		return "";
	return config_is_secret(strrchr(path, '/') + 1) ? "..." : value;
}

/* value: NULL for containers and list entries. */
static int make(struct edit *edit, const char *path, const char *value, struct err *err)
{
	struct lyd_node *made = NULL;

	if (lyd_new_path(edit->tree, edit->context, path, value, LYD_NEW_PATH_UPDATE, &made) !=
	    LY_SUCCESS)
		return err_set(err, -EINVAL, "%s: found '%s': %s", path + strlen("/" ROUTER "/"),
			       shown_of(path, value), ly_errmsg(edit->context));
	if (!edit->tree)
		edit->tree = made;
	return 0;
}

static int delete_node(const struct edit *edit, const char *path, struct err *err)
{
	struct lyd_node *node = NULL;

	if (!edit->tree || lyd_find_path(edit->tree, path, 0, &node) != LY_SUCCESS)
		return err_set(err, -ENOENT, "%s: it is not set", path + strlen("/" ROUTER "/"));
	lyd_free_tree(node);
	return 0;
}

/* Deletes one value of a leaf-list. */
static int delete_value(struct edit *edit, const struct lysc_node *list, struct err *err)
{
	const size_t end = strlen(edit->path);
	int rc = append(edit, "/", list->name, err);

	if (rc == 0)
		rc = append(edit, list->name, list->name, err);
	if (rc == 0)
		rc = append_key(edit, ".", take_word(edit), err);
	if (rc == 0)
		rc = delete_node(edit, edit->path, err);
	edit->path[end] = '\0';
	return rc;
}

static int change_leaf(struct edit *edit, const struct lysc_node *leaf, struct err *err)
{
	char path[PATH_MAX_SIZE + NAMES_SIZE];

	if (edit->change == CONFIG_DELETE && leaf->nodetype == LYS_LEAF) {
		(void)snprintf(path, sizeof(path), "%s/%s", edit->path, leaf->name);
		return delete_node(edit, path, err);
	}
	if (edit->n_words == 0)
		return err_set(err, -EINVAL, "%s: its value is missing", leaf->name);
	if (edit->change == CONFIG_DELETE)
		return delete_value(edit, leaf, err);
	(void)snprintf(path, sizeof(path), "%s/%s", edit->path, leaf->name);
	return make(edit, path, take_word(edit), err);
}

static int enter(struct edit *edit, const struct lysc_node *child, struct err *err)
{
	int rc = append(edit, "/", child->name, err);

	if (rc == 0)
		rc = append(edit, child->name, child->name, err);
	if (rc == 0 && child->nodetype == LYS_LIST)
		rc = enter_list(edit, child, err);
	edit->at = child;
	return rc;
}

static int walk(struct edit *edit, struct err *err)
{
	bool is_set = false;
	int rc = 0;

	while (rc == 0 && edit->n_words > 0) {
		const struct lysc_node *child = find_child(edit, take_word(edit), err);

		if (!child)
			return -EINVAL;
		is_set = (child->nodetype & (LYS_LEAF | LYS_LEAFLIST)) != 0;
		rc = is_set ? change_leaf(edit, child, err) : enter(edit, child, err);
	}
	if (rc < 0 || is_set)
		return rc;
	if (edit->change == CONFIG_DELETE)
		return delete_node(edit, edit->path, err);
	/* An entry may consist of nothing but its keys. */
	if (edit->at->nodetype == LYS_LIST)
		return make(edit, edit->path, NULL, err);
	return err_set(err, -EINVAL, "%s: which of its values?", edit->at->name);
}

static int parse(struct edit *edit, const char *json, struct err *err)
{
	char *text;
	LY_ERR rc;

	if (asprintf(&text, "{\"" ROUTER "\":%s}", json) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	rc = lyd_parse_data_mem(edit->context, text, LYD_JSON, LYD_PARSE_STRICT | LYD_PARSE_ONLY, 0,
				&edit->tree);
	free(text);
	return rc == LY_SUCCESS ? 0
				: err_set(err, -EINVAL, "the configuration so far: %s",
					  ly_errmsg(edit->context));
}

static int print(const struct edit *edit, char **ret, struct err *err)
{
	_cleanup_(json_freep) cJSON *document = NULL;
	char *text = NULL;

	if (lyd_print_mem(&text, edit->tree, LYD_JSON, LYD_PRINT_SHRINK) == LY_SUCCESS)
		document = cJSON_Parse(text);
	free(text);
	*ret = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(document, ROUTER));
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int config_edit_router(enum config_change change, const char *json, size_t n_words,
		       const char *const *words, char **ret, struct err *err)
{
	_cleanup_(config_context_freep) struct ly_ctx *context = NULL;
	struct edit edit = {
		.change = change, .words = words, .n_words = n_words, .path = "/" ROUTER};
	int rc = config_context_new(&context, err);

	if (rc < 0)
		return rc;
	edit.context = context;
	edit.at = lys_find_path(context, NULL, "/" ROUTER, 0);
	rc = parse(&edit, json, err);
	if (rc == 0)
		rc = walk(&edit, err);
	if (rc == 0)
		rc = print(&edit, ret, err);
	lyd_free_all(edit.tree);
	return rc;
}

/* Skips the words that are values: the keys of a list's entry, or the value of a leaf. */
static void pass_values(struct edit *edit, const struct lysc_node *child)
{
	const struct lysc_node *key = NULL;
	size_t n = child->nodetype & (LYS_LEAF | LYS_LEAFLIST) ? 1 : 0;

	if (child->nodetype == LYS_LIST)
		while ((key = lys_getnext(key, child, NULL, 0)) && lysc_is_key(key))
			n++;
	n = MIN(n, edit->n_words);
	edit->words += n;
	edit->n_words -= n;
	if (child->nodetype & (LYS_CONTAINER | LYS_LIST))
		edit->at = child;
}

void config_edit_complete(size_t n_words, const char *const *words, FILE *out)
{
	_cleanup_(config_context_freep) struct ly_ctx *context = NULL;
	struct edit edit = {.words = words, .n_words = n_words};
	const struct lysc_node *child = NULL;
	struct err err;

	if (config_context_new(&context, &err) < 0)
		return;
	edit.at = lys_find_path(context, NULL, "/" ROUTER, 0);
	while (edit.n_words > 1) {
		child = find_child(&edit, take_word(&edit), &err);
		if (!child)
			return;
		pass_values(&edit, child);
	}
	child = NULL;
	while (edit.n_words == 1 && (child = lys_getnext(child, edit.at, NULL, 0)))
		if (!lysc_is_key(child) &&
		    strncmp(child->name, edit.words[0], strlen(edit.words[0])) == 0)
			(void)fprintf(out, "%s\n", child->name);
}
