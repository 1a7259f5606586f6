/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_credentials.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "config/config_secrets.h"

/* All that a conductor may send, and what the router's own configuration has of sources. */
#define SENT "/steward:router/software-update//* | /steward:router/high-availability//*"
#define OWN  "/steward:router/software-update/source/*"

/* What is read of these files is public. Every other leaf that names a file is one with a secret,
 * so that a leaf which is new in the model is none that was forgotten here. */
static const char *const public_leaves[] = {"ca-certificate", "client-certificate", "trusted-key"};

static void free_set(struct ly_set **set)
{
	ly_set_free(*set, NULL);
}

/* Does it name a file with a secret? No other value of the model begins with a slash, but for a
 * secret itself. */
static bool is_secret(const struct lyd_node *node)
{
	const char *value =
		node->schema->nodetype & (LYS_LEAF | LYS_LEAFLIST) ? lyd_get_value(node) : "";

	for (size_t i = 0; i < N_ELEMENTS(public_leaves); i++)
		if (strcmp(node->schema->name, public_leaves[i]) == 0)
			return false;
	if (config_is_secret(node->schema->name))
		return false;
	return value[0] == '/';
}

/* Without a slash at its end. */
static size_t length_of(const char *directory)
{
	size_t size = strlen(directory);

	while (size > 0 && directory[size - 1] == '/')
		size--;
	return size;
}

/* One name below the folder, and no way out of it. */
static bool is_below(const char *path, const char *secrets_directory)
{
	static const char folder[] = "/" CONFIG_CREDENTIALS "/";
	const size_t size = length_of(secrets_directory);

	if (strncmp(path, secrets_directory, size) != 0 ||
	    strncmp(path + size, folder, strlen(folder)) != 0)
		return false;
	path += size + strlen(folder);
	return *path && !strchr(path, '/') && strcmp(path, ".") != 0 && strcmp(path, "..") != 0;
}

/* Does the router's own configuration name this path, for any of its sources and in any leaf that
 * holds a secret? */
static int is_named(const struct lyd_node *own, const char *path, bool *ret)
{
	_cleanup_(free_set) struct ly_set *set = NULL;

	if (lyd_find_xpath(own, OWN, &set) != LY_SUCCESS)
		return -ENOMEM;
	*ret = false;
	for (uint32_t n = 0; n < set->count && !*ret; n++)
		*ret = is_secret(set->dnodes[n]) &&
		       strcmp(lyd_get_value(set->dnodes[n]), path) == 0;
	return 0;
}

static int refuse(const struct lyd_node *leaf, const char *secrets_directory, struct err *err)
{
	char *path = lyd_path(leaf, LYD_PATH_STD, NULL, 0);

	(void)err_set(
		err, -EINVAL,
		"configuration: %s is %.80s: a conductor may name a file in %.*s/%s, or one that "
		"the router's own configuration names for a source",
		path ? path : "a leaf", lyd_get_value(leaf), (int)length_of(secrets_directory),
		secrets_directory, CONFIG_CREDENTIALS);
	free(path);
	return -EINVAL;
}

int config_check_credentials(const struct lyd_node *sent, const struct lyd_node *own,
			     const char *secrets_directory, struct err *err)
{
	_cleanup_(free_set) struct ly_set *set = NULL;

	if (lyd_find_xpath(sent, SENT, &set) != LY_SUCCESS)
		return err_set(err, -ENOMEM, "configuration: out of memory");
	for (uint32_t n = 0; n < set->count; n++) {
		const char *path = lyd_get_value(set->dnodes[n]);
		bool allowed = !is_secret(set->dnodes[n]) || is_below(path, secrets_directory);

		if (!allowed && is_named(own, path, &allowed) < 0)
			return err_set(err, -ENOMEM, "configuration: out of memory");
		if (!allowed)
			return refuse(set->dnodes[n], secrets_directory, err);
	}
	return 0;
}

int config_check_no_secrets(const struct lyd_node *tree, const char *path, struct err *err)
{
	const struct lyd_node *node;

	LYD_TREE_DFS_BEGIN(tree, node)
	{
		if (node->schema->nodetype == LYS_LEAF && config_is_secret(node->schema->name)) {
			char *at = lyd_path(node, LYD_PATH_STD, NULL, 0);

			(void)err_set(err, -EINVAL,
				      "%s: %s is for router.json in the encrypted "
				      "secrets-directory alone: have the conductor send it, or "
				      "name a file by %s-file",
				      path, at ? at : "a secret", node->schema->name);
			free(at);
			return -EINVAL;
		}
		LYD_TREE_DFS_END(tree, node);
	}
	return 0;
}
