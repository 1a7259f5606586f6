#include "conductord/sco.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conductord/sco_failures.h"
#include "conductord/sco_registry.h"
#include "core/log_events.h"
#include "core/macros.h"
#include "core/work.h"

#define READ_SIZE           4096
/* A router's TPM takes seconds for a new key: once it has shown a token of ours, it gets them. */
#define VERIFIED_TIMEOUT_MS 120000

struct sco {
	struct sco_options options;
	struct sco_context context;
	struct port_mux *mux;
	struct sco_session *first;
	struct sco_failures failures;
	struct sco_counts counts;
	unsigned parts; /* not closed yet */
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

/*
 *	reading ▶ working ▶ writing ▶ reading … ▶ ending ▶ closing
 *
 * The handshake belongs to a worker while it is working, and to the loop otherwise.
 */
enum session_state {
	SESSION_READING,
	SESSION_WORKING,
	SESSION_WRITING,
	SESSION_AUDITING,
	SESSION_CLOSING,
};

struct sco_session {
	struct sco *sco;
	struct sco_session *next;
	enum session_state state;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles;
	admission_ticket ticket;
	bool was_verified;
	bool must_go; /* timed out, shown out or stopped, while a worker has it */
	struct work work;
	struct sco_handshake handshake;
	bool counts_as_stranger;
	struct err audit_err;
};

static void look(struct sco_session *session);

static void part_closed(struct sco *s)
{
	assert(s->parts > 0);
	if (--s->parts > 0)
		return;
	sco_context_release(&s->context);
	s->closed(s->owner);
	free(s);
}

static void unlink_session(struct sco_session *session)
{
	struct sco_session **at = &session->sco->first;

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct sco_session *session = handle->data;
	struct sco *s = session->sco;

	if (--session->handles > 0)
		return;
	(void)close(session->fd);
	unlink_session(session);
	free(session);
	s->counts.under_way--;
	if (s->closing)
		part_closed(s);
}

static void close_session(struct sco_session *session)
{
	session->state = SESSION_CLOSING;
	if (session->ticket)
		port_mux_finished(session->sco->mux, ADMISSION_TLS, session->ticket);
	session->ticket = 0;
	sco_handshake_close(&session->handshake);
	uv_close((uv_handle_t *)&session->poll, on_handle_closed);
	uv_close((uv_handle_t *)&session->timer, on_handle_closed);
}

/* The end: told, written down, closed. */

static void run_audit(struct work *work)
{
	struct sco_session *session = container_of(work, struct sco_session, work);

	(void)sco_registry_audit(&session->handshake, &session->counts_as_stranger,
				 &session->audit_err);
}

static void tell(const struct sco_session *session)
{
	const struct sco_handshake *h = &session->handshake;
	const struct log_fields fields = {.source = h->address, .reason = h->err.text};

	switch (h->outcome) {
	case SCO_ENROLLED:
		log_event(LOG_ROUTER_ENROLLED, &fields, "router %s, node %s enrolled from %s",
			  h->steps.hello.router, h->steps.record.node, h->address);
		break;
	case SCO_REFUSED:
		if (h->alert)
			log_event(LOG_OTHER_DEVICE, &fields, "from %s: %s", h->address,
				  h->err.text);
		else
			log_event(LOG_ONBOARDING_REFUSED, &fields, "from %s: refused: %s",
				  h->address, h->err.text);
		break;
	case SCO_RETRY_LATER:
		log_event(LOG_ONBOARDING_DEFERRED, &fields, "from %s: not decided: %s", h->address,
			  h->err.text);
		break;
	default:
		log_debug("from %s: %s", h->address, h->err.text);
	}
}

static void count(struct sco_session *session)
{
	struct sco_counts *counts = &session->sco->counts;

	switch (session->handshake.outcome) {
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

static void on_audited(struct work *work)
{
	struct sco_session *session = container_of(work, struct sco_session, work);

	if (session->audit_err.code < 0)
		log_event(LOG_REGISTRY_PROBLEM,
			  &(struct log_fields){.reason = session->audit_err.text},
			  "the audit could not be written: %s", session->audit_err.text);
	if (session->counts_as_stranger)
		sco_failures_count(&session->sco->failures, session->handshake.address);
	close_session(session);
}

static void audit(struct sco_session *session)
{
	const struct sco_handshake *h = &session->handshake;

	tell(session);
	count(session);
	if (h->outcome == SCO_ENROLLED && session->sco->options.enrolled)
		session->sco->options.enrolled(session->sco->options.owner, h->steps.hello.router,
					       h->steps.record.node);
	session->state = SESSION_AUDITING;
	(void)uv_poll_stop(&session->poll);
	(void)uv_timer_stop(&session->timer);
	work_submit(session->sco->options.loop, &session->work, run_audit, on_audited);
}

/* Whoever has it ends it. */
static void end_session(struct sco_session *session, const char *why)
{
	session->must_go = true;
	if (session->state != SESSION_READING && session->state != SESSION_WRITING)
		return;
	if (session->handshake.outcome == SCO_UNDER_WAY) {
		(void)err_set(&session->handshake.err, -ETIMEDOUT, "%s", why);
		session->handshake.outcome =
			session->handshake.verified ? SCO_REFUSED : SCO_STRANGER;
	}
	audit(session);
}

/* Bytes. */

static void run_handshake(struct work *work)
{
	sco_handshake_go_on(&container_of(work, struct sco_session, work)->handshake);
}

static void note_verified(struct sco_session *session)
{
	if (!session->handshake.verified || session->was_verified)
		return;
	session->was_verified = true;
	port_mux_finished(session->sco->mux, ADMISSION_TLS, session->ticket);
	session->ticket = 0;
	(void)uv_timer_again(&session->timer);
}

static void on_worked(struct work *work)
{
	struct sco_session *session = container_of(work, struct sco_session, work);

	session->state = SESSION_WRITING;
	note_verified(session);
	if (session->must_go)
		end_session(session, "it took too long");
	else
		look(session);
}

static void give_to_worker(struct sco_session *session)
{
	session->state = SESSION_WORKING;
	(void)uv_poll_stop(&session->poll);
	work_submit(session->sco->options.loop, &session->work, run_handshake, on_worked);
}

static void read_bytes(struct sco_session *session)
{
	uint8_t bytes[READ_SIZE];
	ssize_t n = recv(session->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		end_session(session, "the router ended the connection");
	else if (sco_handshake_receive(&session->handshake, span_of(bytes, (size_t)n)) < 0)
		end_session(session, "it sent more than a handshake has");
	else
		give_to_worker(session);
}

/* Returns whether all is sent. */
static bool write_bytes(struct sco_session *session)
{
	struct span pending = sco_handshake_pending(&session->handshake);

	while (pending.size > 0) {
		ssize_t n = send(session->fd, pending.bytes, pending.size, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n < 0)
			return true; /* reading will tell */
		sco_handshake_sent(&session->handshake, (size_t)n);
		pending = sco_handshake_pending(&session->handshake);
	}
	return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct sco_session *session = poll->data;

	if (status < 0)
		end_session(session, "the connection broke");
	else if (session->state == SESSION_WRITING)
		look(session);
	else if (events & UV_READABLE)
		read_bytes(session);
}

/* What is next: write, end, or read. */
static void look(struct sco_session *session)
{
	session->state = SESSION_WRITING;
	if (!write_bytes(session)) {
		(void)uv_poll_start(&session->poll, UV_WRITABLE, on_poll);
		return;
	}
	if (session->handshake.outcome != SCO_UNDER_WAY) {
		(void)shutdown(session->fd, SHUT_WR);
		audit(session);
		return;
	}
	session->state = SESSION_READING;
	(void)uv_poll_start(&session->poll, UV_READABLE, on_poll);
}

static void on_timeout(uv_timer_t *timer)
{
	end_session(timer->data, "it took too long");
}

/* Who comes. */

static void name_peer(const struct sockaddr *peer, char ret[REGISTRY_ADDRESS_SIZE])
{
	const socklen_t size = peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							   : sizeof(struct sockaddr_in);
	const char *mapped = "::ffff:";

	if (getnameinfo(peer, size, ret, REGISTRY_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) != 0)
		(void)snprintf(ret, REGISTRY_ADDRESS_SIZE, "unknown");
	if (strncmp(ret, mapped, strlen(mapped)) == 0)
		memmove(ret, ret + strlen(mapped), strlen(ret + strlen(mapped)) + 1);
}

static int open_session(struct sco *s, struct sco_session *session, const struct sockaddr *peer)
{
	char address[REGISTRY_ADDRESS_SIZE];

	name_peer(peer, address);
	if (sco_handshake_open(&session->handshake, &s->context, address, NULL) < 0)
		return -ENOMEM;
	if (uv_poll_init(s->options.loop, &session->poll, session->fd) < 0) {
		sco_handshake_close(&session->handshake);
		return -EIO;
	}
	(void)uv_timer_init(s->options.loop, &session->timer);
	session->poll.data = session;
	session->timer.data = session;
	session->handles = 2;
	return 0;
}

static void on_tls(void *owner, int fd, const struct sockaddr *peer, admission_ticket ticket)
{
	struct sco *s = owner;
	struct sco_session *session = calloc(1, sizeof(*session));

	if (session) {
		session->sco = s;
		session->fd = fd;
		session->ticket = ticket;
	}
	if (!session || open_session(s, session, peer) < 0) {
		port_mux_finished(s->mux, ADMISSION_TLS, ticket);
		(void)close(fd);
		free(session);
		return;
	}
	session->next = s->first;
	s->first = session;
	s->counts.under_way++;
	(void)uv_timer_start(&session->timer, on_timeout,
			     (uint64_t)s->options.config->limits.handshake_timeout_s * 1000,
			     VERIFIED_TIMEOUT_MS);
	look(session);
}

static void on_ssh(void *owner, int fd, const struct sockaddr *peer, admission_ticket ticket)
{
	struct sco *s = owner;

	s->options.ssh(s->options.owner, fd, peer, ticket);
}

static void on_show_out(void *owner, enum admission_line line, admission_ticket ticket)
{
	struct sco *s = owner;

	if (line == ADMISSION_SSH) {
		s->options.ssh_show_out(s->options.owner, ticket);
		return;
	}
	for (struct sco_session *session = s->first; session; session = session->next)
		if (session->ticket == ticket) {
			session->ticket = 0;
			end_session(session, "it made room for a newcomer");
			return;
		}
}

static int open_port(struct sco *s, struct err *err)
{
	const struct config_conductor *config = s->options.config;
	const struct port_mux_options options = {
		.port = config->port,
		.silence_ms = config->limits.silence_timeout_s * 1000,
		.silent_max = 1024,
		.tls_max = config->limits.handshakes,
		.ssh_max = config->limits.sessions,
		.rate_per_s = config->limits.rate,
		.burst = config->limits.burst,
		.tls = on_tls,
		.ssh = on_ssh,
		.show_out = on_show_out,
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
	rc = sco_context_init(&s->context, options->registry, options->config, err);
	s->context.sync_keys = options->sync_keys;
	s->context.owner = options->owner;
	if (rc == 0)
		rc = open_port(s, err);
	if (rc < 0) {
		sco_context_release(&s->context);
		free(s);
		return rc;
	}
	sco_failures_init(&s->failures, options->loop, options->registry);
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
		end_session(session, "the conductor stops");
	}
	port_mux_close(s->mux, on_part_closed, s);
	sco_failures_close(&s->failures, on_part_closed, s);
}

void sco_ssh_finished(struct sco *s, admission_ticket ticket)
{
	port_mux_finished(s->mux, ADMISSION_SSH, ticket);
}

const struct sco_counts *sco_counts(const struct sco *s)
{
	return &s->counts;
}

const struct port_mux_counts *sco_port_counts(const struct sco *s)
{
	return port_mux_counts(s->mux);
}
