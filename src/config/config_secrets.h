/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_secrets.h - the values in a configuration that are secrets themselves: passwords, tokens
 * and keys of sources, and the queries of their URLs (base/url_query.h). Takes them out of a
 * configuration, and puts them back.
 *
 * Where a secret was taken out, what is shown of it stands: "set" for a value, "?..." for a query.
 * Whoever was shown that may send it back, and means the value that is known already.
 *
 * The path of a secret says where it belongs: "software-update/source/NAME/password", or
 * "software-update/source/NAME/url/URL" for the query of that URL, be it url or a mirror.
 *
 * configuration: the members of "steward:router" (or of "steward:conductor"), which nobody may have
 * checked yet.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct config_secret {
	char *path;
	char *value; /* NULL = not shown: the one that is known */
};

struct config_secrets {
	struct config_secret *list;
	size_t n;
};

/* Is this a leaf whose value is a secret? */
bool config_is_secret(const char *leaf);

/* Leaves what is shown of each. -ENOMEM. */
int config_secrets_hide(cJSON *configuration, struct err *err);

/* -EINVAL: two URLs of a source that differ in their query alone; -ENOMEM. Then configuration may
 * still have some of them. */
int config_secrets_take_out(cJSON *configuration, struct config_secrets *ret, struct err *err);

/* NULL = it is not known, and what is shown stays. Else zero-terminated, and borrowed until the
 * next call. */
typedef const char *(*config_secret_find_cb)(void *owner, const char *path);

/* Puts a value wherever one was taken out. -ENOMEM. */
int config_secrets_put_in(cJSON *configuration, config_secret_find_cb find, void *owner,
			  struct err *err);

/* Wipes; takes a zeroed one. */
void config_secrets_release(struct config_secrets *secrets);
