#include "core/config.h"

#include <errno.h>
#include <libyang/libyang.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"
#include "core/config_read.h"
#include "core/macros.h"
#include "core/yang_model.h"

#define CONFIG_SIZE_MAX (1u << 20)
#define DEPTH_MAX       32

static void destroy_context(struct ly_ctx **context)
{
	ly_ctx_destroy(*context);
}

static void free_tree(struct lyd_node **tree)
{
	lyd_free_all(*tree);
}

static int new_context(struct ly_ctx **ret, struct err *err)
{
	struct ly_ctx *context = NULL;

	(void)ly_log_options(LY_LOSTORE_LAST);
	if (ly_ctx_new(NULL, LY_CTX_NO_YANGLIBRARY | LY_CTX_DISABLE_SEARCHDIRS, &context) !=
	    LY_SUCCESS)
		return err_set(err, -ENOMEM, "libyang: out of memory");
	if (lys_parse_mem(context, yang_model, LYS_IN_YANG, NULL) != LY_SUCCESS) {
		(void)err_set(err, -EIO, "libyang refuses the model: %s", ly_errmsg(context));
		ly_ctx_destroy(context);
		return -EIO;
	}
	*ret = context;
	return 0;
}

/* libyang's last words: path, value and constraint. */
static int refuse(const struct ly_ctx *context, const char *file, struct err *err)
{
	const char *path = ly_errpath(context);
	const char *message = ly_errmsg(context);

	/* "Schema location \"/steward:...\", data location \"/steward:...\", line number 3." */
	return err_set(err, -EINVAL, "%s: %s%s%s%s", file, message ? message : "refused",
		       path ? " (" : "", path ? path : "", path ? ")" : "");
}

/* libyang's JSON parser recurses. */
static int check_depth(const char *text, const char *file, struct err *err)
{
	unsigned depth = 0;
	bool in_string = false;

	for (; *text; text++) {
		if (in_string && *text == '\\' && text[1])
			text++;
		else if (*text == '"')
			in_string = !in_string;
		else if (!in_string && strchr("{[", *text) && ++depth > DEPTH_MAX)
			return err_set(err, -EINVAL, "%s: nested deeper than %d", file, DEPTH_MAX);
		else if (!in_string && strchr("}]", *text) && depth > 0)
			depth--;
	}
	return 0;
}

static int parse_file(const struct ly_ctx *context, const char *path, uint32_t validation,
		      struct lyd_node **ret, struct err *err)
{
	_cleanup_(free_tree) struct lyd_node *tree = NULL;
	char *text = NULL;
	size_t size;
	int rc = file_read(path, CONFIG_SIZE_MAX, &text, &size, err);

	if (rc < 0)
		return rc;
	rc = check_depth(text, path, err);
	if (rc == 0 &&
	    lyd_parse_data_mem(context, text, LYD_JSON, LYD_PARSE_STRICT | LYD_PARSE_ONLY,
			       validation, &tree) != LY_SUCCESS)
		rc = refuse(context, path, err);
	free(text);
	if (rc < 0)
		return rc;
	/* An empty document is valid to libyang. */
	if (!tree || strcmp(LYD_NAME(tree), "router") != 0)
		return err_set(err, -EINVAL, "%s: expected \"steward:router\" at the top", path);
	*ret = tree;
	tree = NULL;
	return 0;
}

static const char *leaf_text(const struct lyd_node *tree, const char *path)
{
	struct lyd_node *node = NULL;

	if (lyd_find_path(tree, path, 0, &node) != LY_SUCCESS)
		return NULL;
	return lyd_get_value(node);
}

/* What stands in the encrypted directory is merged over the file in the clear. */
static int merge_secrets(const struct ly_ctx *context, struct lyd_node **tree, char **ret_merged,
			 struct err *err)
{
	const char *directory =
		leaf_text(*tree, "/steward:router/secure-conductor-onboarding/secrets-directory");
	_cleanup_(free_tree) struct lyd_node *over = NULL;
	int rc;

	if (asprintf(ret_merged, "%s/router.json",
		     directory ? directory : CONFIG_SECRETS_DIRECTORY) < 0) {
		*ret_merged = NULL;
		return err_set(err, -ENOMEM, "configuration: out of memory");
	}
	rc = parse_file(context, *ret_merged, 0, &over, err);
	if (rc == -ENOENT || rc == -ENOTDIR) {
		free(*ret_merged);
		*ret_merged = NULL;
		return 0;
	}
	if (rc < 0)
		return rc;
	if (lyd_merge_siblings(tree, over, 0) != LY_SUCCESS)
		return refuse(context, *ret_merged, err);
	return 0;
}

static int validate(const struct ly_ctx *context, struct lyd_node **tree, const char *file,
		    struct err *err)
{
	if (lyd_validate_all(tree, context, LYD_VALIDATE_PRESENT, NULL) != LY_SUCCESS)
		return refuse(context, file, err);
	return 0;
}

static int load_tree(const struct ly_ctx *context, const char *path, struct lyd_node **tree,
		     struct err *err)
{
	char *merged = NULL;
	char *both = NULL;
	int rc = parse_file(context, path, 0, tree, err);

	if (rc == 0)
		rc = merge_secrets(context, tree, &merged, err);
	if (rc == 0 && merged && asprintf(&both, "%s with %s", path, merged) < 0)
		rc = err_set(err, -ENOMEM, "configuration: out of memory");
	if (rc == 0)
		rc = validate(context, tree, both ? both : path, err);
	free(merged);
	free(both);
	return rc;
}

int config_load(struct config **ret, const char *path, struct err *err)
{
	_cleanup_(destroy_context) struct ly_ctx *context = NULL;
	struct lyd_node *tree = NULL;
	int rc = new_context(&context, err);

	if (rc < 0)
		return rc;
	rc = load_tree(context, path, &tree, err);
	if (rc == 0)
		rc = config_read(ret, tree, err);
	lyd_free_all(tree);
	return rc;
}
