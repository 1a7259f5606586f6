#include "core/config.h"

#include <errno.h>
#include <libyang/libyang.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"
#include "core/config_read.h"
#include "core/config_refusal.h"
#include "core/json.h"
#include "core/macros.h"
#include "core/yang_model.h"

#define CONFIG_SIZE_MAX (1u << 20)

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

/* top: what the file must be of, router or conductor. */
static int parse_file(const struct ly_ctx *context, const char *path, const char *top,
		      struct lyd_node **ret, struct err *err)
{
	_cleanup_(free_tree) struct lyd_node *tree = NULL;
	_cleanup_(json_freep) cJSON *document = NULL;
	char *text = NULL;
	size_t size = 0;
	int rc = file_read(path, CONFIG_SIZE_MAX, &text, &size, err);

	if (rc < 0)
		return rc;
	/* libyang's parser recurses, and takes half a document for an empty one. */
	if (json_parse(&document, span_of(text, size), CONFIG_SIZE_MAX, err) < 0) {
		(void)err_wrap(err, "%s", path);
		rc = -EINVAL;
	}
	if (rc == 0 &&
	    lyd_parse_data_mem(context, text, LYD_JSON, LYD_PARSE_STRICT | LYD_PARSE_ONLY, 0,
			       &tree) != LY_SUCCESS)
		rc = config_refusal_of_value(context, path, document, err);
	free(text);
	if (rc < 0)
		return rc;
	/* An empty document is valid to libyang. */
	if (!tree || strcmp(LYD_NAME(tree), top) != 0)
		return err_set(err, -EINVAL, "%s: expected \"steward:%s\" at the top", path, top);
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
	rc = parse_file(context, *ret_merged, "router", &over, err);
	if (rc == -ENOENT || rc == -ENOTDIR) {
		free(*ret_merged);
		*ret_merged = NULL;
		return 0;
	}
	if (rc < 0)
		return rc;
	if (lyd_merge_siblings(tree, over, 0) != LY_SUCCESS)
		return err_set(err, -EINVAL, "%s: cannot be merged", *ret_merged);
	return 0;
}

static int validate(const struct ly_ctx *context, struct lyd_node **tree, const char *file,
		    struct err *err)
{
	_cleanup_(json_freep) cJSON *document = NULL;
	char *text = NULL;

	if (lyd_validate_all(tree, context, LYD_VALIDATE_PRESENT, NULL) == LY_SUCCESS)
		return 0;
	/* Printing must not replace the error that is to be told. */
	(void)ly_log_options(0);
	if (lyd_print_mem(&text, *tree, LYD_JSON, LYD_PRINT_SHRINK) == LY_SUCCESS)
		document = cJSON_Parse(text);
	(void)ly_log_options(LY_LOSTORE_LAST);
	free(text);
	return config_refusal_of_whole(context, file, document, err);
}

static int load_tree(const struct ly_ctx *context, const char *path, struct lyd_node **tree,
		     struct err *err)
{
	char *merged = NULL;
	char *both = NULL;
	int rc = parse_file(context, path, "router", tree, err);

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

static int load_tree_early(const struct ly_ctx *context, const char *path, struct lyd_node **tree,
			   struct err *err)
{
	static const char *const later[] = {"/steward:router/software-update",
					    "/steward:router/high-availability"};
	int rc = parse_file(context, path, "router", tree, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < N_ELEMENTS(later); i++) {
		struct lyd_node *node = NULL;

		if (lyd_find_path(*tree, later[i], 0, &node) == LY_SUCCESS)
			lyd_free_tree(node);
	}
	return validate(context, tree, path, err);
}

static int load_tree_conductor(const struct ly_ctx *context, const char *path,
			       struct lyd_node **tree, struct err *err)
{
	int rc = parse_file(context, path, "conductor", tree, err);

	return rc < 0 ? rc : validate(context, tree, path, err);
}

typedef int (*load_tree_cb)(const struct ly_ctx *context, const char *path, struct lyd_node **tree,
			    struct err *err);

static int load(struct config **ret, const char *path, load_tree_cb load_it, struct err *err)
{
	_cleanup_(destroy_context) struct ly_ctx *context = NULL;
	struct lyd_node *tree = NULL;
	int rc = new_context(&context, err);

	if (rc < 0)
		return rc;
	rc = load_it(context, path, &tree, err);
	if (rc == 0)
		rc = config_read(ret, tree, err);
	lyd_free_all(tree);
	return rc;
}

int config_load(struct config **ret, const char *path, struct err *err)
{
	return load(ret, path, load_tree, err);
}

int config_load_early(struct config **ret, const char *path, struct err *err)
{
	return load(ret, path, load_tree_early, err);
}

int config_load_conductor(struct config **ret, const char *path, struct err *err)
{
	return load(ret, path, load_tree_conductor, err);
}
