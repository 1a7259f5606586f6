/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_postgresql.h - the registry on a server that several conductors share: postgresql://…
 *
 * Uses libpq; any server with PostgreSQL's protocol and serializable transactions will do. Unless
 * the server is on this machine, the connection is TLS with the server's name checked
 * (sslmode=verify-full), and a URI that asks for less is refused. No call waits longer than its
 * patience.
 */
#pragma once

#include "conductor/registry/registry_driver.h"

extern const struct registry_driver registry_postgresql;

/* What check_uri decides: must the connection be TLS with the server's name checked? Local are a
 * unix socket, "localhost", 127.0.0.0/8 and ::1; an address counts before a name, and of several
 * hosts all must be local. The environment (PGHOST, PGHOSTADDR …) counts as it does for libpq.
 * -EINVAL: not a URI of libpq's, one with service=, or one that asks for less than is needed. */
int registry_postgresql_needs_tls(const char *uri, bool *ret, struct err *err);

/* The role that the URI names; NULL if it names none. The caller frees it. -EINVAL, -ENOMEM. */
int registry_postgresql_role(const char *uri, char **ret, struct err *err);
