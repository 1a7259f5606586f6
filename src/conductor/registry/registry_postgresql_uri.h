/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_postgresql_uri.h - where a registry's URI leads to, host by host, as libpq reads it.
 *
 * Settings in the URI count before the environment (PGHOST, PGHOSTADDR, PGPORT …) and before a
 * service that the environment names (PGSERVICE). If a host has an address, the address counts:
 * the connection goes there, whatever the name is.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define POSTGRESQL_HOSTS_MAX 16

/* NULL = not given. */
struct postgresql_host {
	char *name;
	char *address;
	char *port;
};

struct postgresql_uri {
	PQconninfoOption *options; /* that stand in the URI; host, hostaddr and port included */
	struct postgresql_host hosts[POSTGRESQL_HOSTS_MAX];
	size_t n_hosts;     /* at least one */
	bool needs_tls;     /* with the server's name checked: one of them is not on this machine */
	bool needs_primary; /* of several hosts; nobody has said it otherwise */
};

/* -EINVAL: not a URI of libpq's, one with service=, lists that do not fit together, or a URI that
 * asks for less than is needed: for a connection that others can read, or a standby. Messages never
 * have a part of a password. */
int postgresql_uri_parse(struct postgresql_uri *ret, const char *uri, struct err *err);
void postgresql_uri_release(struct postgresql_uri *uri);

/* What the URI itself says, borrowed; NULL = nothing. */
const char *postgresql_uri_value(const struct postgresql_uri *uri, const char *name);

struct sockaddr_storage;
/* Is that the other end of a connection within this machine? */
bool postgresql_address_is_local(const struct sockaddr_storage *address);
