/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_postgresql_link.h - a connection of libpq that waits no longer than its patience.
 *
 * libpq's blocking calls have no deadline once a connection is up, and never return if a server
 * hangs (a backend that was stopped, a connection pool that is paused). Here everything is sent,
 * and awaited by poll(). A connection whose answer did not come in time is not used again.
 */
#pragma once

#include <libpq-fe.h>

#include "base/err.h"
#include "conductor/registry/registry_patience.h"

/* Connects to the first of the URI's hosts that accepts, each for its share of the time. Without
 * TLS, nothing is sent before it is seen that the other end is this machine. -EINVAL: see
 * postgresql_uri_parse(); -ECONNRESET, -ETIMEDOUT, -ECANCELED, -ENOMEM. */
int postgresql_link_open(PGconn **ret, const char *uri, const struct registry_patience *patience,
			 struct err *err);

/* To be called after a PQsend…() that returned sent: sends all of it and waits for the result,
 * the last one if there are several. Free *ret by PQclear(); it may describe a failure. If it is
 * NULL, libpq's message does. -ETIMEDOUT, -ECANCELED: err is filled. */
int postgresql_link_finish(PGconn *link, int sent, const struct registry_patience *patience,
			   PGresult **ret, struct err *err);

/* libpq's messages end with a newline, and some are several lines. */
void postgresql_link_message(const char *message, char *ret, size_t size);
