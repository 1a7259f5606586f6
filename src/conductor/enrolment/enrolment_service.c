/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/enrolment_service.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/work_pool.h"
#include "conductor/enrolment/enrolment_audit.h"
#include "conductor/enrolment/enrolment_commits.h"
#include "conductor/enrolment/enrolment_failures.h"
#include "conductor/enrolment/enrolment_shown.h"
#include "conductor/enrolment/peer_address.h"

/* A router's TPM may take many seconds to make a key. A router gets this time once it has shown a
 * token of ours. */
#define VERIFIED_TIMEOUT_MS 120000

struct enrolment_service {
	struct enrolment_options options;
	struct enrolment_shown *shown;
	uv_mutex_t lock; /* held for moments; for workers that ask what is shown */
	struct port_mux *mux;
	struct enrolment_session *first;
	struct enrolment_failures failures;
	struct enrolment_commits commits;
	struct enrolment_counts counts;
	unsigned parts; /* not closed yet */
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

struct enrolment_session {
	struct enrolment_service *service;
	struct enrolment_shown *shown;
	struct enrolment_session *next;
	struct enrolment_handshake handshake;
	struct work lookup;
	struct enrolment_commit commit;
	turns_ticket ticket;
	bool was_verified;
	struct work audit;
	bool counts_as_stranger;
	struct err audit_err;
};

static void part_closed(struct enrolment_service *s)
{
	assert(s->parts > 0);
	if (--s->parts > 0)
		return;
	enrolment_commits_release(&s->commits);
	enrolment_shown_release(s->shown);
	uv_mutex_destroy(&s->lock);
	s->closed(s->owner);
	free(s);
}

static void give_ticket_back(struct enrolment_session *session)
{
	if (session->ticket)
		port_mux_finished(session->service->mux, PORT_TLS, session->ticket);
	session->ticket = 0;
}

static void on_closed(struct tls_session *tls)
{
	struct enrolment_session *session =
		container_of(tls, struct enrolment_session, handshake.tls);
	struct enrolment_service *s = session->service;
	struct enrolment_session **at = &s->first;

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	enrolment_shown_release(session->shown);
	free(session);
	s->counts.under_way--;
	if (s->closing)
		part_closed(s);
}

/* The end of a session: it is written to the audit, logged and counted, and closed. */

static void run_audit(struct work *work)
{
	struct enrolment_session *session = container_of(work, struct enrolment_session, audit);

	(void)enrolment_audit_append(&session->handshake, &session->counts_as_stranger,
				     &session->audit_err);
}

static void conclude(struct enrolment_session *session)
{
	enrolment_result_log(&session->handshake);
	enrolment_result_count(&session->service->counts, session->handshake.outcome);
	enrolment_handshake_close(&session->handshake);
	tls_session_close(&session->handshake.tls, on_closed);
}

static void on_audited(struct work *work)
{
	struct enrolment_session *session = container_of(work, struct enrolment_session, audit);

	if (session->audit_err.code < 0)
		log_event(LOG_REGISTRY_PROBLEM,
			  &(struct log_fields){.reason = session->audit_err.text},
			  "the audit could not be written: %s", session->audit_err.text);
	if (session->counts_as_stranger && !session->service->closing)
		enrolment_failures_count(&session->service->failures, session->handshake.address);
	if (!session->counts_as_stranger && session->handshake.outcome == ENROLMENT_STRANGER)
		session->handshake.outcome = ENROLMENT_REFUSED; /* the token was one of ours */
	conclude(session);
}

static void on_over(struct tls_session *tls, const char *broken)
{
	struct enrolment_session *session =
		container_of(tls, struct enrolment_session, handshake.tls);
	const struct enrolment_handshake *h = &session->handshake;
	struct enrolment_service *s = session->service;

	if (broken)
		enrolment_handshake_break(&session->handshake, broken);
	give_ticket_back(session);
	/* The commit has already written enrolments and its own refusals to the audit. */
	if (h->outcome == ENROLMENT_ENROLLED || h->denied)
		conclude(session);
	else
		work_pool_submit(s->options.pool, s->options.loop, &session->audit, run_audit,
				 on_audited);
}

static void on_committed(struct enrolment_commit *commit)
{
	struct enrolment_session *session = container_of(commit, struct enrolment_session, commit);

	session->handshake.tls.over = session->handshake.outcome != ENROLMENT_UNDER_WAY;
	tls_session_go_on(&session->handshake.tls);
}

static void run_lookup(struct work *work)
{
	struct enrolment_session *session = container_of(work, struct enrolment_session, lookup);

	enrolment_handshake_look_up(&session->handshake);
}

static void on_looked_up(struct work *work)
{
	struct enrolment_session *session = container_of(work, struct enrolment_session, lookup);

	tls_session_compute(&session->handshake.tls);
}

static void ask_registry(struct enrolment_session *session)
{
	const struct enrolment_options *options = &session->service->options;

	if (session->handshake.waits == ENROLMENT_FOR_LOOKUP) {
		work_pool_submit(options->pool, options->loop, &session->lookup, run_lookup,
				 on_looked_up);
		return;
	}
	session->commit =
		(struct enrolment_commit){.handshake = &session->handshake, .done = on_committed};
	enrolment_commits_add(&session->service->commits, &session->commit);
}

static void on_computed(struct tls_session *tls)
{
	struct enrolment_session *session =
		container_of(tls, struct enrolment_session, handshake.tls);

	if (session->handshake.verified && !session->was_verified) {
		session->was_verified = true;
		(void)port_mux_through(session->service->mux, PORT_TLS, session->ticket);
		session->ticket = 0;
		tls_session_limit(tls, VERIFIED_TIMEOUT_MS);
	}
	if (tls->waits)
		ask_registry(session);
}

/* New connections. */

static const struct tls_session_callbacks callbacks = {
	.compute = enrolment_handshake_go_on,
	.is_quick = enrolment_handshake_is_quick,
	.computed = on_computed,
	.over = on_over,
};

static int open_session(struct enrolment_service *s, struct enrolment_session *session, int fd,
			const struct sockaddr *peer)
{
	char address[REGISTRY_ADDRESS_SIZE];
	struct tls_channel *channel;
	int rc = tls_channel_open(&channel, s->shown->context.tls, NULL);

	if (rc < 0)
		return rc;
	rc = tls_session_init(&session->handshake.tls, s->options.loop, fd, channel, &callbacks);
	if (rc < 0) {
		tls_channel_free(channel);
		return rc;
	}
	peer_address_name(peer, address, sizeof(address));
	enrolment_handshake_open(&session->handshake, &s->shown->context, address);
	return 0;
}

static void on_tls(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	struct enrolment_service *s = owner;
	struct enrolment_session *session = calloc(1, sizeof(*session));

	if (!session || open_session(s, session, fd, peer) < 0) {
		port_mux_finished(s->mux, PORT_TLS, ticket);
		(void)close(fd);
		free(session);
		return;
	}
	session->service = s;
	session->shown = enrolment_shown_hold(s->shown);
	session->ticket = ticket;
	session->next = s->first;
	s->first = session;
	s->counts.under_way++;
	tls_session_limit(&session->handshake.tls,
			  (uint64_t)s->options.config->limits.handshake_timeout_s * 1000);
	tls_session_start(&session->handshake.tls, false);
}

static void on_ssh(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	struct enrolment_service *s = owner;

	s->options.ssh(s->options.owner, fd, peer, ticket);
}

static void on_show_out(void *owner, enum port_line line, turns_ticket ticket)
{
	struct enrolment_service *s = owner;

	if (line == PORT_SSH) {
		s->options.ssh_show_out(s->options.owner, ticket);
		return;
	}
	for (struct enrolment_session *session = s->first; session; session = session->next)
		if (session->ticket == ticket) {
			session->ticket = 0;
			tls_session_end(&session->handshake.tls, "it stalled, and others waited");
			return;
		}
}

static bool ssh_has_room(void *owner)
{
	const struct enrolment_service *s = owner;

	return s->options.ssh_has_room(s->options.owner);
}

/* Does the peer wait for us, since its session is on a worker or waits for the registry? */
static bool tls_is_busy(void *owner, turns_ticket ticket)
{
	const struct enrolment_service *s = owner;
	const struct enrolment_session *session = s->first;

	while (session && session->ticket != ticket)
		session = session->next;
	return session && (session->handshake.tls.state == TLS_SESSION_COMPUTING ||
			   session->handshake.tls.state == TLS_SESSION_WAITING);
}

static int open_port(struct enrolment_service *s, struct err *err)
{
	const struct config_conductor *config = s->options.config;
	const struct port_mux_options options = {
		.port = config->port,
		.silence_ms = config->limits.first_byte_timeout_s * 1000,
		.silent_max = 1024,
		.tls_max = config->limits.handshakes,
		.ssh_max = config->limits.ssh_sessions,
		.rate_per_s = config->limits.connection_rate,
		.burst = config->limits.connection_burst,
		.known = s->options.known,
		.tls = on_tls,
		.ssh = on_ssh,
		.show_out = on_show_out,
		.ssh_has_room = ssh_has_room,
		.ssh_timeout_ms = (uint64_t)config->limits.ssh_timeout_s * 1000,
		.tls_is_busy = tls_is_busy,
		.owner = s,
	};

	return port_mux_open(&s->mux, s->options.loop, &options, err);
}

bool enrolment_shows(struct enrolment_service *s, struct span certificate)
{
	bool shows;

	uv_mutex_lock(&s->lock);
	shows = enrolment_shown_is(s->shown, certificate);
	uv_mutex_unlock(&s->lock);
	return shows;
}

static int read_shown(const struct enrolment_service *s, struct enrolment_shown **ret,
		      struct err *err)
{
	return enrolment_shown_open(ret, s->options.registry, s->options.config,
				    s->options.repository_port, err);
}

int enrolment_renew(struct enrolment_service *s, struct err *err)
{
	struct enrolment_shown *before = s->shown;
	struct enrolment_shown *shown;
	int rc = read_shown(s, &shown, err);

	if (rc < 0)
		return rc;
	if (!enrolment_shown_is(before, enrolment_shown_certificate(shown)))
		log_event(LOG_CERTIFICATE_RENEWED, NULL,
			  "this conductor shows another certificate from now on; tokens of the one "
			  "before are not taken any more, and enrolled routers do not notice");
	uv_mutex_lock(&s->lock);
	s->shown = shown;
	uv_mutex_unlock(&s->lock);
	enrolment_shown_release(before);
	return 0;
}

static void init_commits(struct enrolment_service *s)
{
	const struct enrolment_commits_options options = {
		.loop = s->options.loop,
		.pool = s->options.pool,
		.registry = s->options.registry,
		.sync_keys = s->options.sync_keys,
		.owner = s->options.owner,
	};

	enrolment_commits_init(&s->commits, &options);
}

int enrolment_start(struct enrolment_service **ret, const struct enrolment_options *options,
		    struct err *err)
{
	struct enrolment_service *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->options = *options;
	rc = read_shown(s, &s->shown, err);
	if (rc == 0)
		rc = open_port(s, err);
	if (rc < 0) {
		if (s->shown)
			enrolment_shown_release(s->shown);
		free(s);
		return rc;
	}
	(void)uv_mutex_init(&s->lock);
	init_commits(s);
	enrolment_failures_init(&s->failures, options->loop, options->pool, options->registry);
	*ret = s;
	return 0;
}

static void on_part_closed(void *owner)
{
	part_closed(owner);
}

void enrolment_close(struct enrolment_service *s, void (*closed)(void *owner), void *owner)
{
	struct enrolment_session *next;

	s->closing = true;
	s->closed = closed;
	s->owner = owner;
	s->parts = 2 + s->counts.under_way;
	for (struct enrolment_session *session = s->first; session; session = next) {
		next = session->next;
		session->ticket = 0; /* a session that a worker has outlives the port */
		tls_session_end(&session->handshake.tls, "the conductor stops");
	}
	port_mux_close(s->mux, on_part_closed, s);
	enrolment_failures_close(&s->failures, on_part_closed, s);
}

void enrolment_ssh_finished(struct enrolment_service *s, turns_ticket ticket)
{
	port_mux_finished(s->mux, PORT_SSH, ticket);
}

bool enrolment_ssh_authenticated(struct enrolment_service *s, turns_ticket ticket)
{
	return port_mux_through(s->mux, PORT_SSH, ticket);
}

void enrolment_ssh_lost(struct enrolment_service *s)
{
	port_mux_forget_ssh(s->mux);
}

void enrolment_ssh_ready(struct enrolment_service *s)
{
	port_mux_look(s->mux);
}

const struct enrolment_counts *enrolment_counts(const struct enrolment_service *s)
{
	return &s->counts;
}

const struct port_mux *enrolment_port(const struct enrolment_service *s)
{
	return s->mux;
}
