/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/tunnel_session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/process.h"
#include "conductor/tunnels/sshd_config.h"

#define PATIENCE_MS 500

/* Descriptors for 32 simultaneous requests of the router (download/concurrency), for connections
 * that it keeps, for what the conductor asks of it, and eight for sshd itself. */
#define SESSION_DESCRIPTORS 64

struct tunnel_session {
	struct process process;
	uint32_t id;
	enum ssh_kex kex;                                  /* SSH_KEX_NONE = not told yet */
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE]; /* "" = not authenticated */
	struct tunnel_sessions *all;
	struct tunnel_session *next;
};

const char *tunnel_session_read_key(const char *message, const char *user,
				    char ret[AUTHORIZED_KEY_FINGERPRINT_SIZE])
{
	static const char label[] = " ED25519 SHA256:";
	char begin[128];
	const char *key;

	(void)snprintf(begin, sizeof(begin), "Accepted publickey for %s from ", user);
	if (strncmp(message, begin, strlen(begin)) != 0)
		return NULL;
	key = strstr(message, label);
	if (!key || strlen(key + strlen(label)) != AUTHORIZED_KEY_FINGERPRINT_SIZE - 1)
		return NULL;
	memcpy(ret, key + strlen(label), AUTHORIZED_KEY_FINGERPRINT_SIZE);
	return ret;
}

/* Only what begins so is of sshd's own function: what a stranger's text makes it say does not. It
 * says so at each exchange of a long session, too, which nobody is told of. */
static bool is_about_kex(const char *message)
{
	static const char begin[] = "debug1: kex.c:choose_kex():";

	return strncmp(message, begin, sizeof(begin) - 1) == 0;
}

enum ssh_kex tunnel_session_read_kex(const char *message)
{
	return is_about_kex(message) ? ssh_kex_of_line(message) : SSH_KEX_NONE;
}

/* sshd takes it for a failure of the command that the command has found nothing. */
bool tunnel_session_is_unknown_key(const char *message)
{
	static const char begin[] = "AuthorizedKeysCommand " SSHD_CONFIG_LOOK_UP " ";
	static const char end[] = " failed, status 1";
	const size_t size = strlen(message);

	return strncmp(message, begin, sizeof(begin) - 1) == 0 &&
	       size > sizeof(begin) + sizeof(end) &&
	       strcmp(message + size - (sizeof(end) - 1), end) == 0;
}

static void end_sshd(struct tunnel_session *s)
{
	process_end(&s->process, PATIENCE_MS);
}

static void become_authenticated(struct tunnel_session *s, const char *fingerprint)
{
	for (struct tunnel_session *other = s->all->first; other; other = other->next)
		if (strcmp(other->fingerprint, fingerprint) == 0)
			end_sshd(other);
	memcpy(s->fingerprint, fingerprint, sizeof(s->fingerprint));
	s->all->authenticated(s->all, s->id, fingerprint, s->kex);
}

static void on_said(struct process *process, const char *message)
{
	struct tunnel_session *s = container_of(process, struct tunnel_session, process);
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];

	if (is_about_kex(message)) {
		if (s->fingerprint[0] == '\0')
			s->kex = tunnel_session_read_kex(message);
		return;
	}
	if (tunnel_session_is_unknown_key(message))
		log_debug("sshd %d: a key that may not log in", process_pid(process));
	else if (*message)
		log_event(LOG_SSHD, NULL, "sshd %d: %s", process_pid(process), message);
	if (s->fingerprint[0] == '\0' &&
	    tunnel_session_read_key(message, s->all->user, fingerprint))
		become_authenticated(s, fingerprint);
}

static void on_exited(struct process *process, int exit_status, const struct err *err)
{
	struct tunnel_session *s = container_of(process, struct tunnel_session, process);
	struct tunnel_sessions *all = s->all;
	struct tunnel_session **at = &all->first;
	bool was_authenticated = s->fingerprint[0] != '\0';
	uint32_t id = s->id;

	(void)exit_status; /* sshd has written to stderr why it ended */
	if (err->code < 0)
		log_event(LOG_SSHD, NULL, "session %u: %s", id, err->text);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s);
	all->ended(all, id, was_authenticated);
}

/* sshd opens a descriptor for each connection through the tunnel, in both directions, without a
 * limit of its own. A connection for which it has no descriptor is refused, or accepted a second
 * later. */
static void bound_descriptors(pid_t pid)
{
	const struct rlimit limit = {SESSION_DESCRIPTORS, SESSION_DESCRIPTORS};

	if (pid > 0)
		(void)prlimit(pid, RLIMIT_NOFILE, &limit, NULL);
}

/* sshd takes what it is told here before its file; there all that the system has stands. What is
 * wanted and not there ends the session with sshd's own words. */
static void name_kex(const struct tunnel_sessions *all, const struct ssh_kex_order *order,
		     char ret[SSH_KEX_ALGORITHMS_SIZE + 16])
{
	char kex[SSH_KEX_ALGORITHMS_SIZE] = "none";
	struct err err;

	if (ssh_kex_algorithms(order, all->kex_names, kex, &err) < 0)
		log_event(LOG_SSHD, NULL, "%s", err.text);
	(void)snprintf(ret, SSH_KEX_ALGORITHMS_SIZE + 16, "KexAlgorithms=%s", kex);
}

void tunnel_session_start(struct tunnel_sessions *all, uint32_t id, int fd, uint16_t seconds,
			  const struct ssh_kex_order *order)
{
	char kex[SSH_KEX_ALGORITHMS_SIZE + 16];
	char grace[8];
	const char *const argv[] = {
		PROCESS_DIES_WITH_US,
		all->sshd,
		"-i",
		"-e",
		"-f",
		all->config,
		"-g",
		grace,
		"-o",
		kex,
		NULL,
	};
	const struct process_options options = {
		.argv = argv,
		.stdio = fd,
		.fd = -1,
		.group = true,
		.said = on_said,
		.by_message = true,
		.exited = on_exited,
	};
	struct tunnel_session *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)close(fd);
		all->ended(all, id, false);
		return;
	}
	name_kex(all, order, kex);
	(void)snprintf(grace, sizeof(grace), "%u", seconds);
	s->id = id;
	s->all = all;
	s->next = all->first;
	all->first = s;
	process_start(&s->process, all->loop, &options);
	(void)close(fd);
	bound_descriptors(process_pid(&s->process));
}

void tunnel_session_end(struct tunnel_sessions *all, uint32_t id)
{
	for (struct tunnel_session *s = all->first; s; s = s->next)
		if (s->id == id && s->fingerprint[0] == '\0')
			end_sshd(s);
}

void tunnel_session_end_key(struct tunnel_sessions *all, const char *fingerprint)
{
	for (struct tunnel_session *s = all->first; s; s = s->next)
		if (strcmp(s->fingerprint, fingerprint) == 0)
			end_sshd(s);
}

void tunnel_session_end_all(struct tunnel_sessions *all)
{
	for (struct tunnel_session *s = all->first; s; s = s->next)
		end_sshd(s);
}
