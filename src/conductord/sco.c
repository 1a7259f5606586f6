#include "conductord/sco.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conductord/sco_commits.h"
#include "conductord/sco_failures.h"
#include "conductord/sco_registry.h"
#include "core/log_events.h"
#include "core/macros.h"
#include "core/work_pool.h"

/* A router's TPM takes seconds for a new key: once it has shown a token of ours, it gets them. */
#define VERIFIED_TIMEOUT_MS 120000

struct sco {
	struct sco_options options;
	struct sco_context context;
	struct port_mux *mux;
	struct sco_session *first;
	struct sco_failures failures;
	struct sco_commits commits;
	struct sco_counts counts;
	unsigned parts; /* not closed yet */
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

struct sco_session {
	struct sco *sco;
	struct sco_session *next;
	struct tls_session tls;
	struct sco_handshake handshake;
	struct work lookup;
	struct sco_commit commit;
	turns_ticket ticket;
	bool was_verified;
	struct work audit;
	bool counts_as_stranger;
	struct err audit_err;
};

static void part_closed(struct sco *s)
{
	assert(s->parts > 0);
	if (--s->parts > 0)
		return;
	sco_commits_release(&s->commits);
	sco_context_release(&s->context);
	s->closed(s->owner);
	free(s);
}

static void give_ticket_back(struct sco_session *session)
{
	if (session->ticket)
		port_mux_finished(session->sco->mux, PORT_TLS, session->ticket);
	session->ticket = 0;
}

static void on_closed(struct tls_session *tls)
{
	struct sco_session *session = container_of(tls, struct sco_session, tls);
	struct sco *s = session->sco;
	struct sco_session **at = &s->first;

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	free(session);
	s->counts.under_way--;
	if (s->closing)
		part_closed(s);
}

/* The end: written down, told, closed. */

static void tell(const struct sco_handshake *h)
{
	const struct log_fields fields = {.source = h->address, .reason = h->err.text};

	switch (h->outcome) {
	case SCO_ENROLLED:
		log_event(LOG_ROUTER_ENROLLED, &(struct log_fields){.source = h->address},
			  "router %s, node %s enrolled from %s", h->steps->hello.router,
			  h->steps->record.node, h->address);
		break;
	case SCO_REFUSED:
		log_event(h->alert ? LOG_OTHER_DEVICE : LOG_ONBOARDING_REFUSED, &fields,
			  "from %s: refused: %s", h->address, h->err.text);
		break;
	case SCO_RETRY_LATER:
		log_event(LOG_ONBOARDING_DEFERRED, &fields, "from %s: not decided: %s", h->address,
			  h->err.text);
		break;
	default:
		log_debug("from %s: %s", h->address, h->err.text);
	}
}

static void count(struct sco_counts *counts, enum sco_outcome outcome)
{
	switch (outcome) {
	case SCO_ENROLLED:
		counts->enrolled++;
		break;
	case SCO_REFUSED:
		counts->refused++;
		break;
	case SCO_RETRY_LATER:
		counts->retry_later++;
		break;
	default:
		counts->strangers++;
	}
}

static void run_audit(struct work *work)
{
	struct sco_session *session = container_of(work, struct sco_session, audit);

	(void)sco_registry_audit(&session->handshake, &session->counts_as_stranger,
				 &session->audit_err);
}

static void conclude(struct sco_session *session)
{
	tell(&session->handshake);
	count(&session->sco->counts, session->handshake.outcome);
	sco_handshake_close(&session->handshake);
	tls_session_close(&session->tls, on_closed);
}

static void on_audited(struct work *work)
{
	struct sco_session *session = container_of(work, struct sco_session, audit);

	if (session->audit_err.code < 0)
		log_event(LOG_REGISTRY_PROBLEM,
			  &(struct log_fields){.reason = session->audit_err.text},
			  "the audit could not be written: %s", session->audit_err.text);
	if (session->counts_as_stranger && !session->sco->closing)
		sco_failures_count(&session->sco->failures, session->handshake.address);
	if (!session->counts_as_stranger && session->handshake.outcome == SCO_STRANGER)
		session->handshake.outcome = SCO_REFUSED; /* the token was one of ours */
	conclude(session);
}

static void on_over(struct tls_session *tls, const char *broken)
{
	struct sco_session *session = container_of(tls, struct sco_session, tls);
	const struct sco_handshake *h = &session->handshake;
	struct sco *s = session->sco;

	if (broken)
		sco_handshake_break(&session->handshake, broken);
	give_ticket_back(session);
	/* An enrolment, and a refusal by the commit, have their line in the audit. */
	if (h->outcome == SCO_ENROLLED || h->denied)
		conclude(session);
	else
		work_pool_submit(s->options.pool, s->options.loop, &session->audit, run_audit,
				 on_audited);
}

static void compute(struct tls_session *tls)
{
	struct sco_session *session = container_of(tls, struct sco_session, tls);

	sco_handshake_go_on(&session->handshake);
	tls->over = session->handshake.outcome != SCO_UNDER_WAY;
	tls->waits = session->handshake.waits != SCO_FOR_BYTES;
}

static void on_committed(struct sco_commit *commit)
{
	struct sco_session *session = container_of(commit, struct sco_session, commit);

	session->tls.over = session->handshake.outcome != SCO_UNDER_WAY;
	tls_session_go_on(&session->tls);
}

static void run_lookup(struct work *work)
{
	struct sco_session *session = container_of(work, struct sco_session, lookup);

	sco_handshake_look_up(&session->handshake);
}

static void on_looked_up(struct work *work)
{
	struct sco_session *session = container_of(work, struct sco_session, lookup);

	tls_session_compute(&session->tls);
}

static void ask_registry(struct sco_session *session)
{
	const struct sco_options *options = &session->sco->options;

	if (session->handshake.waits == SCO_FOR_LOOKUP) {
		work_pool_submit(options->pool, options->loop, &session->lookup, run_lookup,
				 on_looked_up);
		return;
	}
	session->commit =
		(struct sco_commit){.handshake = &session->handshake, .done = on_committed};
	sco_commits_add(&session->sco->commits, &session->commit);
}

static void on_computed(struct tls_session *tls)
{
	struct sco_session *session = container_of(tls, struct sco_session, tls);

	if (session->handshake.verified && !session->was_verified) {
		session->was_verified = true;
		(void)port_mux_through(session->sco->mux, PORT_TLS, session->ticket);
		session->ticket = 0;
		tls_session_limit(tls, VERIFIED_TIMEOUT_MS);
	}
	if (tls->waits)
		ask_registry(session);
}

/* Who comes. */

static const struct tls_session_callbacks callbacks = {
	.compute = compute,
	.computed = on_computed,
	.over = on_over,
};

static void name_peer(const struct sockaddr *peer, char ret[REGISTRY_ADDRESS_SIZE])
{
	static const char mapped[] = "::ffff:";
	const socklen_t size = peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							   : sizeof(struct sockaddr_in);

	if (getnameinfo(peer, size, ret, REGISTRY_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) != 0)
		(void)snprintf(ret, REGISTRY_ADDRESS_SIZE, "unknown");
	if (strncmp(ret, mapped, strlen(mapped)) == 0)
		memmove(ret, ret + strlen(mapped), strlen(ret + strlen(mapped)) + 1);
}

static int open_session(struct sco *s, struct sco_session *session, int fd,
			const struct sockaddr *peer)
{
	char address[REGISTRY_ADDRESS_SIZE];
	struct tls_channel *channel;
	int rc = tls_channel_open(&channel, s->context.tls, NULL);

	if (rc < 0)
		return rc;
	rc = tls_session_init(&session->tls, s->options.loop, fd, channel, &callbacks);
	if (rc < 0) {
		tls_channel_free(channel);
		return rc;
	}
	name_peer(peer, address);
	sco_handshake_open(&session->handshake, &s->context, channel, address);
	return 0;
}

static void on_tls(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	struct sco *s = owner;
	struct sco_session *session = calloc(1, sizeof(*session));

	if (!session || open_session(s, session, fd, peer) < 0) {
		port_mux_finished(s->mux, PORT_TLS, ticket);
		(void)close(fd);
		free(session);
		return;
	}
	session->sco = s;
	session->ticket = ticket;
	session->next = s->first;
	s->first = session;
	s->counts.under_way++;
	tls_session_limit(&session->tls,
			  (uint64_t)s->options.config->limits.handshake_timeout_s * 1000);
	tls_session_start(&session->tls, false);
}

static void on_ssh(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket)
{
	struct sco *s = owner;

	s->options.ssh(s->options.owner, fd, peer, ticket);
}

static void on_show_out(void *owner, enum port_line line, turns_ticket ticket)
{
	struct sco *s = owner;

	if (line == PORT_SSH) {
		s->options.ssh_show_out(s->options.owner, ticket);
		return;
	}
	for (struct sco_session *session = s->first; session; session = session->next)
		if (session->ticket == ticket) {
			session->ticket = 0;
			tls_session_end(&session->tls, "it stalled, and others waited");
			return;
		}
}

static bool ssh_has_room(void *owner)
{
	const struct sco *s = owner;

	return s->options.ssh_has_room(s->options.owner);
}

/* On a worker, or with the registry: the peer waits for us. */
static bool tls_is_busy(void *owner, turns_ticket ticket)
{
	const struct sco *s = owner;
	const struct sco_session *session = s->first;

	while (session && session->ticket != ticket)
		session = session->next;
	return session && (session->tls.state == TLS_SESSION_COMPUTING ||
			   session->tls.state == TLS_SESSION_WAITING);
}

static int open_port(struct sco *s, struct err *err)
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

int sco_start(struct sco **ret, const struct sco_options *options, struct err *err)
{
	struct sco *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->options = *options;
	rc = sco_context_init(&s->context, options->registry, options->config,
			      options->repository_port, err);
	s->context.pool = options->pool;
	s->context.sync_keys = options->sync_keys;
	s->context.owner = options->owner;
	if (rc == 0)
		rc = open_port(s, err);
	if (rc < 0) {
		sco_context_release(&s->context);
		free(s);
		return rc;
	}
	sco_commits_init(&s->commits, options->loop, &s->context);
	sco_failures_init(&s->failures, options->loop, options->pool, options->registry);
	*ret = s;
	return 0;
}

static void on_part_closed(void *owner)
{
	part_closed(owner);
}

void sco_close(struct sco *s, void (*closed)(void *owner), void *owner)
{
	struct sco_session *next;

	s->closing = true;
	s->closed = closed;
	s->owner = owner;
	s->parts = 2 + s->counts.under_way;
	for (struct sco_session *session = s->first; session; session = next) {
		next = session->next;
		session->ticket = 0; /* one that a worker has outlives the port */
		tls_session_end(&session->tls, "the conductor stops");
	}
	port_mux_close(s->mux, on_part_closed, s);
	sco_failures_close(&s->failures, on_part_closed, s);
}

void sco_ssh_finished(struct sco *s, turns_ticket ticket)
{
	port_mux_finished(s->mux, PORT_SSH, ticket);
}

bool sco_ssh_authenticated(struct sco *s, turns_ticket ticket)
{
	return port_mux_through(s->mux, PORT_SSH, ticket);
}

void sco_ssh_lost(struct sco *s)
{
	port_mux_forget_ssh(s->mux);
}

void sco_ssh_ready(struct sco *s)
{
	port_mux_look(s->mux);
}

const struct sco_counts *sco_counts(const struct sco *s)
{
	return &s->counts;
}

const struct port_mux *sco_port(const struct sco *s)
{
	return s->mux;
}
