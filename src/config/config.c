/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <libyang/libyang.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/kept_file.h"
#include "base/macros.h"
#include "config/config_context.h"
#include "config/config_credentials.h"
#include "config/config_faults.h"
#include "config/config_read.h"
#include "config/config_refusal.h"
#include "config/config_rules.h"
#include "config/config_sift.h"

#define CONFIG_SIZE_MAX (1u << 20)
#define SECRETS_FILE    "router.json"

const char *config_default_path(void)
{
	return access(CONFIG_ROUTER_PATH, F_OK) < 0 && access(CONFIG_CONDUCTOR_PATH, F_OK) == 0
		       ? CONFIG_CONDUCTOR_PATH
		       : CONFIG_ROUTER_PATH;
}

/* One configuration on its way from text to tree. */
struct loading {
	struct ly_ctx *context;
	struct config_faults faults;
};

static void loading_release(struct loading *l)
{
	config_faults_release(&l->faults);
	config_context_freep(&l->context);
}

static void free_tree(struct lyd_node **tree)
{
	lyd_free_all(*tree);
}

static const char *const role_names[] = {
	[CONFIG_ROUTER] = "router",
	[CONFIG_CONDUCTOR] = "conductor",
};

static int check_role(const struct lyd_node *tree, const char *path, enum config_role role,
		      struct err *err)
{
	/* An empty document is valid to libyang. */
	if (role == CONFIG_ANY && !tree)
		return err_set(
			err, -EINVAL,
			"%s: expected \"steward:router\" or \"steward:conductor\" at the top",
			path);
	if (role != CONFIG_ANY && (!tree || strcmp(tree->schema->name, role_names[role]) != 0))
		return err_set(err, -EINVAL, "%s: expected \"steward:%s\" at the top", path,
			       role_names[role]);
	return 0;
}

static bool is_readable(const struct ly_ctx *context, const char *text, struct lyd_node **ret)
{
	return lyd_parse_data_mem(context, text, LYD_JSON, LYD_PARSE_STRICT | LYD_PARSE_ONLY, 0,
				  ret) == LY_SUCCESS;
}

static void tell_in_libyangs_words(const struct ly_ctx *context, struct config_faults *faults)
{
	const char *where = ly_errpath(context);

	config_faults_add(faults, "%s%s%s%s", config_refusal_words(context), where ? " (" : "",
			  where ? where : "", where ? ")" : "");
}

/* What is refused is in the faults then. They are told at the end, with what else is wrong. */
static int keep_what_is_right(struct loading *l, const char *text, struct lyd_node **ret,
			      struct err *err)
{
	_cleanup_(json_freep) cJSON *document = NULL;
	unsigned n_before = l->faults.n;
	struct err why;

	if (json_parse_leniently(&document, span_of_string(text), CONFIG_SIZE_MAX, NULL) == 0)
		*ret = config_sift(l->context, document, &l->faults);
	if (l->faults.n > n_before)
		return *ret ? 0 : config_faults_tell(&l->faults, err);
	cJSON_Delete(document);
	document = NULL;
	free_tree(ret);
	*ret = NULL;
	/* It is none of the members that is wrong. */
	if (json_parse(&document, span_of_string(text), CONFIG_SIZE_MAX, &why) < 0)
		config_faults_add(&l->faults, "%s", why.text);
	else if (!is_readable(l->context, text, ret))
		tell_in_libyangs_words(l->context, &l->faults);
	return config_faults_tell(&l->faults, err);
}

/* libyang's parser recurses, and takes half a document for an empty one: so ours comes first. */
static bool is_accepted(const struct ly_ctx *context, const char *text, struct lyd_node **ret)
{
	_cleanup_(json_freep) cJSON *document = NULL;

	return json_parse(&document, span_of_string(text), CONFIG_SIZE_MAX, NULL) == 0 &&
	       is_readable(context, text, ret);
}

/* name: what the text is called in messages; it is there as long as l. */
static int parse_text(struct loading *l, const char *name, enum config_role role, const char *text,
		      struct lyd_node **ret, struct err *err)
{
	_cleanup_(free_tree) struct lyd_node *tree = NULL;
	int rc = 0;

	config_faults_in(&l->faults, name);
	if (!is_accepted(l->context, text, &tree))
		rc = keep_what_is_right(l, text, &tree, err);
	if (rc == 0)
		rc = check_role(tree, name, role, err);
	if (rc < 0)
		return rc;
	*ret = tree;
	tree = NULL;
	return 0;
}

static int parse_bytes(struct loading *l, const char *path, enum config_role role,
		       struct span bytes, struct lyd_node **ret, struct err *err)
{
	const char *text = (const char *)bytes.bytes;

	/* What comes after a zero byte would not be seen. */
	if (strlen(text) != bytes.size)
		return err_set(err, -EINVAL, "%s: a zero byte in it", path);
	return parse_text(l, path, role, text, ret, err);
}

static int parse_file(struct loading *l, const char *path, enum config_role role,
		      struct lyd_node **ret, struct err *err)
{
	char *text = NULL;
	size_t size = 0;
	int rc = file_read(path, CONFIG_SIZE_MAX, &text, &size, err);

	if (rc == 0)
		rc = parse_bytes(l, path, role, span_of(text, size), ret, err);
	free(text);
	return rc;
}

/* A conductor sent it, and it may have passwords of sources. */
static int parse_secrets(struct loading *l, const char *directory, const char *path,
			 struct lyd_node **ret, struct err *err)
{
	char *text = NULL;
	size_t size = 0;
	int rc = kept_file_read(directory, SECRETS_FILE, CONFIG_SIZE_MAX, &text, &size, err);

	if (rc == 0)
		rc = parse_bytes(l, path, CONFIG_ROUTER, span_of(text, size), ret, err);
	if (text)
		explicit_bzero(text, size);
	free(text);
	return rc;
}

static const char *leaf_text(const struct lyd_node *tree, const char *path)
{
	struct lyd_node *node = NULL;

	if (lyd_find_path(tree, path, 0, &node) != LY_SUCCESS)
		return NULL;
	return lyd_get_value(node);
}

static const char *secrets_directory_of(const struct lyd_node *tree)
{
	const char *directory =
		leaf_text(tree, "/steward:router/secure-conductor-onboarding/secrets-directory");

	return directory ? directory : CONFIG_SECRETS_DIRECTORY;
}

/* What stands in the encrypted directory is merged over the file in the clear. */
static int merge_secrets(struct loading *l, struct lyd_node **tree, char **ret_merged,
			 struct err *err)
{
	_cleanup_(free_tree) struct lyd_node *over = NULL;
	const char *directory;
	int rc;

	assert(*tree); /* check_role() saw to it */
	if (strcmp(LYD_NAME(*tree), role_names[CONFIG_ROUTER]) != 0)
		return 0;
	directory = secrets_directory_of(*tree);
	if (asprintf(ret_merged, "%s/" SECRETS_FILE, directory) < 0) {
		*ret_merged = NULL;
		return err_set(err, -ENOMEM, "configuration: out of memory");
	}
	rc = parse_secrets(l, directory, *ret_merged, &over, err);
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

/* The last step: all that was found is told. file: as in parse_text(). */
static int validate(struct loading *l, struct lyd_node **tree, const char *file, struct err *err)
{
	uint32_t nothing = 0;
	bool is_whole = l->faults.n == 0;

	if (is_whole &&
	    lyd_validate_all(tree, l->context, LYD_VALIDATE_PRESENT, NULL) == LY_SUCCESS)
		return 0;
	config_faults_in(&l->faults, is_whole ? file : NULL);
	/* Looking must not replace the error that may have to be told; of this thread, as others
	 * may be validating. */
	ly_temp_log_options(&nothing);
	(void)lyd_new_implicit_tree(*tree, 0, NULL);
	config_rules_check(*tree, &l->faults);
	ly_temp_log_options(NULL);
	if (l->faults.n == 0)
		tell_in_libyangs_words(l->context, &l->faults);
	return config_faults_tell(&l->faults, err);
}

/* What else there was to tell is not lost for an err that ended it all. */
static int tell_all(struct loading *l, int rc, struct err *err)
{
	if (rc == 0 || l->faults.n == 0 || l->faults.n_told > 0 || !err)
		return rc;
	config_faults_in(&l->faults, NULL);
	config_faults_add(&l->faults, "%s", err->text);
	return config_faults_tell(&l->faults, err);
}

static int load_tree(struct loading *l, const char *path, enum config_role role,
		     struct lyd_node **tree, struct err *err)
{
	char *merged = NULL;
	char *both = NULL;
	int rc = parse_file(l, path, role, tree, err);

	if (rc == 0)
		rc = config_check_no_secrets(*tree, path, err);
	if (rc == 0)
		rc = merge_secrets(l, tree, &merged, err);
	if (rc == 0 && merged && asprintf(&both, "%s with %s", path, merged) < 0)
		rc = err_set(err, -ENOMEM, "configuration: out of memory");
	if (rc == 0)
		rc = validate(l, tree, both ? both : path, err);
	rc = tell_all(l, rc, err);
	free(merged);
	free(both);
	return rc;
}

static int load_tree_early(struct loading *l, const char *path, enum config_role role,
			   struct lyd_node **tree, struct err *err)
{
	static const char *const later[] = {
		"/steward:router/software-update", "/steward:router/high-availability",
		"/steward:conductor/software-update", "/steward:conductor/high-availability"};
	int rc = parse_file(l, path, role, tree, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < N_ELEMENTS(later); i++) {
		struct lyd_node *node = NULL;

		if (lyd_find_path(*tree, later[i], 0, &node) == LY_SUCCESS)
			lyd_free_tree(node);
	}
	return validate(l, tree, path, err);
}

static int parse_part(struct loading *l, const char *json, struct lyd_node **ret, struct err *err)
{
	char *text = NULL;
	int rc;

	if (asprintf(&text, "{\"steward:router\":%s}", json) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	rc = parse_text(l, "configuration", CONFIG_ROUTER, text, ret, err);
	free(text);
	return rc;
}

int config_check_router(const char *json, struct err *err)
{
	_cleanup_(loading_release) struct loading l = {0};
	_cleanup_(free_tree) struct lyd_node *tree = NULL;
	int rc = config_context_new(&l.context, err);

	if (rc == 0)
		rc = parse_part(&l, json, &tree, err);
	return rc == 0 ? validate(&l, &tree, "configuration", err) : rc;
}

int config_check_router_over(const char *path, const char *json, struct err *err)
{
	_cleanup_(loading_release) struct loading l = {0};
	_cleanup_(free_tree) struct lyd_node *tree = NULL;
	_cleanup_(free_tree) struct lyd_node *over = NULL;
	int rc = config_context_new(&l.context, err);

	if (rc == 0)
		rc = parse_file(&l, path, CONFIG_ROUTER, &tree, err);
	if (rc == 0)
		rc = parse_part(&l, json, &over, err);
	if (rc == 0)
		rc = config_check_credentials(over, tree, secrets_directory_of(tree), err);
	if (rc == 0 && lyd_merge_siblings(&tree, over, 0) != LY_SUCCESS)
		rc = err_set(err, -EINVAL, "configuration: cannot be merged");
	if (rc == 0)
		rc = validate(&l, &tree, "configuration", err);
	return tell_all(&l, rc, err);
}

typedef int (*load_tree_cb)(struct loading *l, const char *path, enum config_role role,
			    struct lyd_node **tree, struct err *err);

/* untold: may be NULL. */
static int load(struct config **ret, const char *path, enum config_role role, load_tree_cb load_it,
		FILE *untold, struct err *err)
{
	_cleanup_(loading_release) struct loading l = {0};
	_cleanup_(free_tree) struct lyd_node *tree = NULL;
	int rc = config_context_new(&l.context, err);

	if (rc < 0)
		return rc;
	rc = load_it(&l, path, role, &tree, err);
	if (rc < 0 && untold)
		config_faults_print_untold(&l.faults, untold);
	return rc == 0 ? config_read(ret, tree, err) : rc;
}

int config_load(struct config **ret, const char *path, enum config_role role, struct err *err)
{
	return load(ret, path, role, load_tree, NULL, err);
}

int config_load_to_check(struct config **ret, const char *path, enum config_role role, FILE *untold,
			 struct err *err)
{
	return load(ret, path, role, load_tree, untold, err);
}

int config_load_early(struct config **ret, const char *path, enum config_role role, struct err *err)
{
	return load(ret, path, role, load_tree_early, NULL, err);
}

int config_add_source(struct config *config, const char *name, enum source_kind kind,
		      const char *url, struct err *err)
{
	struct config_software_update *update = &config->software_update;
	struct config_source *sources =
		config_take(config, (update->n_sources + 1) * sizeof(*sources));
	struct config_source added = {
		.name = config_take_text(config, name),
		.kind = kind,
		.url = config_take_text(config, url),
	};

	if (!sources || !added.name || !added.url)
		return err_set(err, -ENOMEM, "configuration: out of memory");
	if (update->n_sources > 0)
		memcpy(sources, update->sources, update->n_sources * sizeof(*sources));
	sources[update->n_sources++] = added;
	update->sources = sources;
	return 0;
}
