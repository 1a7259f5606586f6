/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_schema_owner.h - the registry's tables, made by a role that owns them for one that uses
 * them.
 *
 * The conductor's role reads and writes rows, and needs no more: it may neither make nor change
 * tables, nor change or delete what stands in the audit.
 */
#pragma once

#include <stdio.h>

#include "base/err.h"

/* Prints it all for PostgreSQL, as SQL that any client takes: for an empty database, and for a
 * registry of an older version. It is one transaction. role: whose rights are granted; NULL =
 * nobody's, and comments show which those would be. */
void registry_schema_print(FILE *out, const char *role);

/* Does the same at uri, as whoever that connects as. role: likewise; for SQLite it must be NULL.
 * May wait for a minute. -EINVAL, -EACCES, and the errors of registry.h. */
int registry_schema_apply(const char *uri, const char *role, struct err *err);
