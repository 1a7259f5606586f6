/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_schema.h - the registry's tables, and how those of an older version are upgraded.
 *
 * A table of numbered steps. Each step runs in a transaction of its own, together with its
 * number, so that a registry always has one version or the next, never something between. A step
 * that was released is never changed: another one is added.
 *
 * If two conductors upgrade the same registry at the same time, one of them finds it done.
 *
 * A registry of the present version is only read: its tables may belong to another role, which
 * makes and upgrades them (registry_schema_owner.h).
 */
#pragma once

#include "base/err.h"
#include "conductor/registry/registry_query.h"

/* The version that this program reads and writes. */
unsigned registry_schema_version(void);

/* The statements that lead to version, from the one before; from 1. In the dialect of both
 * databases, without a semicolon at their end. */
const char *registry_schema_step(unsigned version);

/* Bring the tables up to version (registry_schema_version(), less in tests alone). -ENOTSUP: the
 * registry is of a newer one; -EACCES: something is to be made, and this role may not. */
int registry_schema_upgrade(struct registry_session *session, unsigned version, struct err *err);
