/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tunnel.h"

#include <assert.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/printable.h"
#include "onboarding/router/known_hosts.h"
#include "onboarding/router/local_port.h"

/* ssh's own limits end what hangs at each step; this, what hangs between them. ConnectTimeout,
 * which is for the banner, too, is longer than a conductor that is busy lets us wait for it (13 s,
 * turns.h): who waited is not to go just before its turn. */
#define CONNECTING_MS 60000
#define LASTING_MS    60000 /* then the next try begins with 1 s again */
#define PATIENCE_MS   2000

#define PATH_SIZE 512 /* longer ones are refused at the start */

const char *tunnel_state_name(enum tunnel_state state)
{
	static const char *const names[] = {"stopped", "connecting", "connected", "waiting",
					    "closing"};

	return names[state];
}

static void set_state(struct tunnel *t, enum tunnel_state state)
{
	static const unsigned allowed[] = {
		[TUNNEL_STOPPED] =
			1u << TUNNEL_CONNECTING | 1u << TUNNEL_WAITING | 1u << TUNNEL_CLOSING,
		[TUNNEL_CONNECTING] =
			1u << TUNNEL_CONNECTED | 1u << TUNNEL_WAITING | 1u << TUNNEL_CLOSING,
		[TUNNEL_CONNECTED] = 1u << TUNNEL_WAITING | 1u << TUNNEL_CLOSING,
		[TUNNEL_WAITING] = 1u << TUNNEL_CONNECTING | 1u << TUNNEL_CLOSING,
		[TUNNEL_CLOSING] = 0,
	};

	assert(allowed[t->state] & 1u << state);
	log_debug("tunnel to %s: %s, was %s", t->options.host, tunnel_state_name(state),
		  tunnel_state_name(t->state));
	t->state = state;
}

static void on_too_long(uv_timer_t *timer)
{
	struct tunnel *t = container_of(timer, struct tunnel, timer);

	(void)snprintf(t->reason, sizeof(t->reason), "no tunnel after %d s", CONNECTING_MS / 1000);
	process_end(&t->ssh, PATIENCE_MS);
}

static void on_lasting(uv_timer_t *timer)
{
	struct tunnel *t = container_of(timer, struct tunnel, timer);

	backoff_reset(&t->backoff);
}

static void become_connected(struct tunnel *t)
{
	set_state(t, TUNNEL_CONNECTED);
	t->reason[0] = '\0';
	t->problem[0] = '\0';
	t->since_s = time(NULL);
	(void)uv_timer_start(&t->timer, on_lasting, LASTING_MS, 0);
	log_event(LOG_TUNNEL_CONNECTED, NULL, "the tunnel to %s port %u is up", t->options.host,
		  t->options.port);
	t->callbacks.connected(t);
}

/* -v tells how far it is; these lines are no reason for an end. */
static bool is_chatter(const char *line)
{
	static const char *const begins[] = {
		"debug1: ",      "OpenSSH_",           "Authenticated to ",
		"Transferred: ", "Bytes per second: ", "Killed by signal ", /* ours */
	};

	for (unsigned i = 0; i < N_ELEMENTS(begins); i++)
		if (strncmp(line, begins[i], strlen(begins[i])) == 0)
			return true;
	return *line == '\0';
}

static void on_said(struct process *process, const char *said)
{
	/* The last of the two forwardings: it is asked for when the local port is taken. */
	static const char granted[] = "debug1: remote forward success for: ";
	struct tunnel *t = container_of(process, struct tunnel, ssh);
	char line[PROCESS_SAID_SIZE];

	(void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(said, "\r"), said);
	if (ssh_kex_of_line(line) != SSH_KEX_NONE && is_chatter(line))
		t->kex = ssh_kex_of_line(line);
	if (t->state == TUNNEL_CONNECTING && strncmp(line, granted, strlen(granted)) == 0)
		become_connected(t);
	else if (!is_chatter(line))
		printable_copy(line, t->reason, sizeof(t->reason));
}

static void on_retry(uv_timer_t *timer);

static void wait_for_next_try(struct tunnel *t)
{
	uint32_t random = 0;
	uint32_t wait_ms;

	(void)RAND_bytes((unsigned char *)&random, sizeof(random)); /* 0 is a number, too */
	wait_ms = backoff_next_ms(&t->backoff, random);
	log_debug("tunnel to %s: next try in %u ms", t->options.host, wait_ms);
	(void)uv_timer_start(&t->timer, on_retry, wait_ms, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct tunnel *t = container_of(handle, struct tunnel, timer);

	t->closed(t);
}

/* Not again what was told already: it may be so for weeks, once a minute. */
static void tell_problem(struct tunnel *t)
{
	bool was_down = t->problem[0] != '\0';

	log_debug("tunnel to %s: %s", t->options.host, t->reason);
	if (strcmp(t->problem, t->reason) == 0)
		return;
	if (!was_down)
		t->since_s = time(NULL);
	(void)snprintf(t->problem, sizeof(t->problem), "%s", t->reason);
	log_event(LOG_TUNNEL_DISCONNECTED, &(struct log_fields){.reason = t->reason},
		  "the tunnel to %s port %u is %s: %s", t->options.host, t->options.port,
		  was_down ? "still down" : "down", t->reason);
	t->callbacks.disconnected(t, t->reason);
}

static void become_disconnected(struct tunnel *t)
{
	set_state(t, TUNNEL_WAITING);
	t->kex = SSH_KEX_NONE;
	wait_for_next_try(t);
	tell_problem(t);
}

static void on_exited(struct process *process, int exit_status, const struct err *err)
{
	struct tunnel *t = container_of(process, struct tunnel, ssh);

	if (t->state == TUNNEL_CLOSING) {
		uv_close((uv_handle_t *)&t->timer, on_closed);
		return;
	}
	if (err->code < 0)
		printable_copy(err->text, t->reason, sizeof(t->reason));
	else if (t->reason[0] == '\0')
		(void)snprintf(t->reason, sizeof(t->reason), "ssh ended with status %d",
			       exit_status);
	become_disconnected(t);
}

/* Every option that a configuration file of the machine or of root could set is named here, or
 * in the paths that follow them. */
static const char *const ssh_options[] = {
	"-F", "none",
	"-N", "-T",
	"-v", "-a",
	"-x", "-k",
	"-o", "IdentitiesOnly=yes",
	"-o", "IdentityAgent=none",
	"-o", "GlobalKnownHostsFile=/dev/null",
	"-o", "StrictHostKeyChecking=yes",
	"-o", "UpdateHostKeys=no",
	"-o", "VerifyHostKeyDNS=no",
	"-o", "CheckHostIP=no",
	"-o", "BatchMode=yes",
	"-o", "PreferredAuthentications=publickey",
	"-o", "ExitOnForwardFailure=yes",
	"-o", "ConnectTimeout=15",
	"-o", "ServerAliveInterval=15",
	"-o", "ServerAliveCountMax=3",
	"-o", "EscapeChar=none",
};

static void start_ssh(struct tunnel *t, const char *const *argv)
{
	const struct process_options options = {
		.argv = argv,
		.stdio = -1,
		.fd = -1,
		.said = on_said,
		.exited = on_exited,
	};

	process_start(&t->ssh, t->loop, &options);
}

/* argv: what stays the same for each conductor, then what names this one. */
static void run_ssh(struct tunnel *t)
{
	const struct tunnel_options *o = &t->options;
	char us[16];
	char key[PATH_SIZE + 32];
	char known_hosts[PATH_SIZE + 32];
	char remote[PATH_SIZE + 32];
	char local[64];
	char port[8];
	char kex[SSH_KEX_ALGORITHMS_SIZE + 16];
	const char *const who_runs[] = {PROCESS_TIED, us, o->ssh};
	const char *const whereto[] = {"-o", kex,     "-o", key,     "-o", known_hosts,
				       "-R", remote,  "-L", local,   "-p", port,
				       "-l", o->user, "--", o->host, NULL};
	const char *argv[N_ELEMENTS(who_runs) + N_ELEMENTS(ssh_options) + N_ELEMENTS(whereto)];

	(void)snprintf(us, sizeof(us), "%d", getpid());
	(void)snprintf(kex, sizeof(kex), "KexAlgorithms=%s", o->kex);
	(void)snprintf(key, sizeof(key), "IdentityFile=%s", o->key);
	(void)snprintf(known_hosts, sizeof(known_hosts), "UserKnownHostsFile=%s", o->known_hosts);
	(void)snprintf(remote, sizeof(remote), "localhost:%u:%s", o->listen_port, o->socket);
	(void)snprintf(local, sizeof(local), "127.0.0.1:%u:localhost:%u", t->local_port,
		       o->repository_port);
	(void)snprintf(port, sizeof(port), "%u", o->port);
	memcpy(argv, who_runs, sizeof(who_runs));
	memcpy(argv + N_ELEMENTS(who_runs), ssh_options, sizeof(ssh_options));
	memcpy(argv + N_ELEMENTS(who_runs) + N_ELEMENTS(ssh_options), whereto, sizeof(whereto));
	start_ssh(t, argv);
}

/* What ssh needs, on disks and in tables that may be full. */
static int prepare_for_ssh(struct tunnel *t, struct err *err)
{
	const struct tunnel_options *o = &t->options;
	int rc = known_hosts_write(o->known_hosts, o->host, o->port, o->host_keys, o->n_host_keys,
				   err);

	return rc < 0 ? rc : local_port_choose(&t->local_port, t->local_port, err);
}

static void connect_now(struct tunnel *t)
{
	set_state(t, TUNNEL_CONNECTING);
	t->reason[0] = '\0';
	(void)uv_timer_start(&t->timer, on_too_long, CONNECTING_MS, 0);
	run_ssh(t);
}

static void try_to_connect(struct tunnel *t)
{
	struct err err;

	if (prepare_for_ssh(t, &err) == 0) {
		connect_now(t);
		return;
	}
	set_state(t, TUNNEL_CONNECTING);
	printable_copy(err.text, t->reason, sizeof(t->reason));
	become_disconnected(t);
}

static void on_retry(uv_timer_t *timer)
{
	try_to_connect(container_of(timer, struct tunnel, timer));
}

void tunnel_init(struct tunnel *t, uv_loop_t *loop, const struct tunnel_options *options,
		 const struct tunnel_callbacks *callbacks)
{
	*t = (struct tunnel){
		.options = *options,
		.callbacks = *callbacks,
		.loop = loop,
		.local_port = options->local_port,
	};
	(void)uv_timer_init(loop, &t->timer);
}

/* ssh splits at blanks and colons, and knows quotes, patterns and %-tokens. */
static bool is_plain_path(const char *path)
{
	return path[0] == '/' && strlen(path) < PATH_SIZE && !strpbrk(path, " \t\r\n\"'\\%$~:*?");
}

static int check_paths(const struct tunnel_options *o, struct err *err)
{
	const char *const paths[] = {o->key, o->known_hosts, o->socket};

	if (!o->kex[0])
		return err_set(err, -EINVAL, "%s", o->kex_problem);

	for (unsigned i = 0; i < N_ELEMENTS(paths); i++)
		if (!is_plain_path(paths[i]))
			return err_set(err, -EINVAL, "'%s' cannot be a path of ssh's", paths[i]);
	return 0;
}

int tunnel_start(struct tunnel *t, struct err *err)
{
	struct err why;
	int rc = check_paths(&t->options, &why);

	if (rc == 0)
		rc = prepare_for_ssh(t, &why);
	if (rc == -EINVAL) {
		printable_copy(why.text, t->problem, sizeof(t->problem));
		return err_set(err, rc, "%s", why.text);
	}
	if (rc == 0) {
		connect_now(t);
		return 0;
	}
	/* Once more at once: that try tells what keeps it down, and not inside this call. */
	set_state(t, TUNNEL_WAITING);
	(void)uv_timer_start(&t->timer, on_retry, 0, 0);
	return 0;
}

int64_t tunnel_next_try_s(const struct tunnel *t, int64_t now_s)
{
	if (t->state != TUNNEL_WAITING)
		return 0;
	return now_s + (int64_t)(uv_timer_get_due_in(&t->timer) + 999) / 1000;
}

void tunnel_close(struct tunnel *t, void (*closed)(struct tunnel *t))
{
	set_state(t, TUNNEL_CLOSING);
	t->closed = closed;
	(void)uv_timer_stop(&t->timer);
	if (t->ssh.state == PROCESS_IDLE)
		uv_close((uv_handle_t *)&t->timer, on_closed);
	else
		process_end(&t->ssh, PATIENCE_MS);
}
