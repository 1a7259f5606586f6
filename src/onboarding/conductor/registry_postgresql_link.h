/* registry_postgresql_link.h - a connection of libpq's that waits no longer than its patience.
 *
 * libpq's blocking calls have no deadline once a connection stands, and a server that hangs (a
 * backend that was stopped, a pool that is paused) is never heard of. Here everything is sent and
 * awaited by poll(). A connection whose answer did not come in time is of no use any more.
 */
#pragma once

#include <libpq-fe.h>

#include "core/err.h"
#include "onboarding/conductor/registry_patience.h"

/* To the first of the URI's hosts that takes it, each for its share of the time. Where no TLS is
 * asked for, nothing is said before the other end is seen to be this machine. -EINVAL: see
 * postgresql_uri_parse(); -ECONNRESET, -ETIMEDOUT, -ECANCELED, -ENOMEM. */
int postgresql_link_open(PGconn **ret, const char *uri, const struct registry_patience *patience,
			 struct err *err);

/* After a PQsend…() of that result: send all of it, and take what comes of it, the last result
 * where there are several. *ret is PQclear()'s, and may tell of a failure; NULL: libpq's message
 * does. -ETIMEDOUT, -ECANCELED: err is filled. */
int postgresql_link_finish(PGconn *link, int sent, const struct registry_patience *patience,
			   PGresult **ret, struct err *err);

/* libpq's messages end with a newline, and some are several lines. */
void postgresql_link_message(const char *message, char *ret, size_t size);
