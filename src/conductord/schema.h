/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schema.h - conductord --schema: the registry's tables, for who owns a database that conductors
 * only use.
 */
#pragma once

#include <stdbool.h>

struct schema_options {
	bool is_wanted;
	const char *apply; /* the URI at which they are made; NULL = printed */
	const char *role;  /* who gets rights; NULL = whoever the configured registry's URI names */
};

/* config_path: read only if no role is given. Prints to stdout, what is wrong to stderr. Returns
 * what the process exits with. */
int conductor_schema(const struct schema_options *options, const char *config_path);
