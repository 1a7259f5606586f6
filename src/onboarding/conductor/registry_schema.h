/* registry_schema.h - the registry's tables, and how those of an older one become them.
 *
 * A table of numbered steps. Each runs in a transaction of its own, with the number it leads to,
 * so that a registry is always of one version or the next, never between. Steps are never changed
 * once they were released: another one is added.
 *
 * Two conductors may bring the same registry up to date at once: one of them finds it done.
 */
#pragma once

#include "core/err.h"
#include "onboarding/conductor/registry_query.h"

/* The version that this program reads and writes. */
unsigned registry_schema_version(void);

/* Bring the tables up to version (registry_schema_version(), less in tests alone). -ENOTSUP: the
 * registry is of a newer one. */
int registry_schema_upgrade(struct registry_session *session, unsigned version, struct err *err);
