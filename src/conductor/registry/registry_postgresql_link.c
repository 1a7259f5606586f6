/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_postgresql_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "conductor/registry/registry_postgresql_uri.h"

#define NAME        "PostgreSQL"
#define OPTIONS_MAX 96
#define TLS_LOOK_MS 20
#define HOST_MIN_MS 500 /* how long one host is tried, if there are several */

void postgresql_link_message(const char *message, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s", message);
	for (size_t n = strlen(ret); n > 0 && ret[n - 1] == '\n'; n--)
		ret[n - 1] = '\0';
	for (char *at = ret; (at = strpbrk(at, "\n\t")) != NULL; at++)
		*at = ' ';
}

static void ignore_notice(void *owner, const PGresult *result)
{
	(void)owner;
	(void)result;
}

/* Hosts are tried one at a time, because libpq knows no deadline when it goes from one to the
 * next. The options are passed one by one, because an empty host in a list could not be passed
 * otherwise. */
struct options {
	const char *names[OPTIONS_MAX + 1];
	const char *values[OPTIONS_MAX + 1];
	size_t n;
};

static void add(struct options *options, const char *name, const char *value)
{
	if (!value || options->n == OPTIONS_MAX)
		return;
	options->names[options->n] = name;
	options->values[options->n++] = value;
}

static bool is_set_here(const char *name, bool needs_tls)
{
	static const char *const names[] = {"host",       "hostaddr",         "port",
					    "gssencmode", "tcp_user_timeout", "client_encoding"};

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return needs_tls && strcmp(name, "sslmode") == 0;
}

static PGconn *begin_connection(const struct postgresql_uri *uri,
				const struct postgresql_host *host)
{
	struct options options = {0};

	for (const PQconninfoOption *at = uri->options; at->keyword; at++)
		if (!is_set_here(at->keyword, uri->needs_tls))
			add(&options, at->keyword, at->val);
	add(&options, "host", host->name);
	add(&options, "hostaddr", host->address);
	add(&options, "port", host->port);
	add(&options, "client_encoding", "UTF8");
	add(&options, "tcp_user_timeout", "10000");
	add(&options, "gssencmode", "disable");
	if (uri->needs_tls)
		add(&options, "sslmode", "verify-full");
	if (uri->needs_primary)
		add(&options, "target_session_attrs", "primary");
	return PQconnectStartParams(options.names, options.values, 0);
}

/* Called after connect() and before libpq sends anything: checks who is at the other end. */
static int check_peer(PGconn *link, struct err *err)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);

	if (getpeername(PQsocket(link), (struct sockaddr *)&address, &size) < 0)
		return 0; /* libpq reports the error itself */
	if (postgresql_address_is_local(&address))
		return 0;
	return err_set(err, -EINVAL,
		       NAME
		       ": host %s leads to another machine, and without TLS nothing goes there: "
		       "write its name and sslmode=verify-full",
		       PQhost(link));
}

static int await_connection(PGconn *link, bool needs_tls, uint64_t until_ms,
			    const struct registry_patience *patience, struct err *err)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	int rc;

	while (PQstatus(link) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
	       next != PGRES_POLLING_FAILED) {
		const uint64_t now = registry_now_ms();
		const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;

		if (now >= until_ms || registry_patience_left_ms(patience) == 0)
			return registry_patience_lost(patience, NAME, err);
		if (!registry_patience_wait(patience, PQsocket(link), events,
					    (int)(until_ms - now)))
			continue;
		rc = needs_tls || PQstatus(link) != CONNECTION_MADE ? 0 : check_peer(link, err);
		if (rc < 0)
			return rc;
		next = PQconnectPoll(link);
	}
	return 0;
}

static int open_host(PGconn **ret, const struct postgresql_uri *uri,
		     const struct postgresql_host *host, uint64_t until_ms,
		     const struct registry_patience *patience, struct err *err)
{
	PGconn *link = begin_connection(uri, host);
	char text[512];
	int rc;

	if (!link)
		return err_set(err, -ENOMEM, "out of memory");
	rc = await_connection(link, uri->needs_tls, until_ms, patience, err);
	if (rc == 0 && PQstatus(link) != CONNECTION_OK) {
		postgresql_link_message(PQerrorMessage(link), text, sizeof(text));
		rc = err_set(err, -ECONNRESET, NAME ": %s", text);
	}
	if (rc == 0 && PQsetnonblocking(link, 1) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		PQfinish(link);
		return rc;
	}
	(void)PQsetNoticeReceiver(link, ignore_notice, NULL);
	*ret = link;
	return 0;
}

static int open_one_of(PGconn **ret, const struct postgresql_uri *uri,
		       const struct registry_patience *patience, struct err *err)
{
	int rc = -ECONNRESET;

	for (size_t i = 0; i < uri->n_hosts; i++) {
		const int left_ms = registry_patience_left_ms(patience);
		const int share_ms = MAX(left_ms / (int)(uri->n_hosts - i), HOST_MIN_MS);

		rc = open_host(ret, uri, &uri->hosts[i], registry_now_ms() + (uint64_t)share_ms,
			       patience, err);
		if (rc == 0 || rc == -ECANCELED)
			return rc;
	}
	return rc;
}

int postgresql_link_open(PGconn **ret, const char *uri, const struct registry_patience *patience,
			 struct err *err)
{
	struct postgresql_uri parsed;
	int rc = postgresql_uri_parse(&parsed, uri, err);

	if (rc < 0)
		return rc;
	rc = open_one_of(ret, &parsed, patience, err);
	postgresql_uri_release(&parsed);
	return rc;
}

static int await(PGconn *link, short events, const struct registry_patience *patience,
		 struct err *err)
{
	const int left_ms = registry_patience_left_ms(patience);

	if (left_ms == 0)
		return registry_patience_lost(patience, NAME, err);
	/* The socket does not show bytes that TLS has decrypted already, so they are asked for
	 * before we wait. */
	(void)registry_patience_wait(patience, PQsocket(link), events,
				     PQsslInUse(link) ? MIN(left_ms, TLS_LOOK_MS) : left_ms);
	return 0;
}

/* Reads what the server sends in the meantime; otherwise each side might wait for the other. */
static int send_all(PGconn *link, const struct registry_patience *patience, struct err *err)
{
	int rc = 0;

	while (rc == 0 && PQflush(link) == 1) {
		rc = await(link, POLLIN | POLLOUT, patience, err);
		if (rc == 0 && !PQconsumeInput(link))
			return 0;
	}
	return rc;
}

static int next_result(PGconn *link, const struct registry_patience *patience, PGresult **ret,
		       struct err *err)
{
	while (PQisBusy(link)) {
		int rc = await(link, POLLIN, patience, err);

		if (rc < 0)
			return rc;
		if (!PQconsumeInput(link))
			break;
	}
	*ret = PQgetResult(link);
	return 0;
}

int postgresql_link_finish(PGconn *link, int sent, const struct registry_patience *patience,
			   PGresult **ret, struct err *err)
{
	PGresult *last = NULL;
	PGresult *result = NULL;
	int rc = 0;

	*ret = NULL;
	if (!sent)
		return 0;
	rc = send_all(link, patience, err);
	while (rc == 0 && (rc = next_result(link, patience, &result, err)) == 0 && result) {
		PQclear(last);
		last = result;
	}
	if (rc < 0) {
		PQclear(last);
		return rc;
	}
	*ret = last;
	return 0;
}
