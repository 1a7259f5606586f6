/* registry_postgresql.h - the registry on a server that several conductors share: postgresql://…
 *
 * By libpq; any engine that speaks PostgreSQL's protocol and its serializable transactions
 * serves. Unless the server is on this machine the connection is TLS with the server's name
 * checked (sslmode=verify-full), and a URI that asks for less is refused. Nothing waits for it
 * longer than its patience.
 */
#pragma once

#include "onboarding/conductor/registry_driver.h"

extern const struct registry_driver registry_postgresql;

/* What check_uri decides: must the connection be TLS with the server's name checked? Local is a
 * unix socket, "localhost", 127.0.0.0/8 and ::1, the address before the name; of several hosts all
 * must be. The environment (PGHOST, PGHOSTADDR …) is asked as libpq asks it. -EINVAL: no URI of
 * libpq's, one with service=, or one that asks for less than is needed. */
int registry_postgresql_needs_tls(const char *uri, bool *ret, struct err *err);
