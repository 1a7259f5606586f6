/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tunnel.h"

#include <assert.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/printable.h"
#include "onboarding/router/known_hosts.h"
#include "onboarding/router/local_port.h"
#include "onboarding/router/tunnel_ssh.h"

/* ssh's own limits end what hangs at each step; this, what hangs between them. ConnectTimeout,
 * which is for the banner, too, is longer than a conductor that is busy lets us wait for it (13 s,
 * turns.h): who waited is not to go just before its turn. */
#define CONNECTING_MS   60000
#define LASTING_MS      60000 /* then the next try begins with 1 s again */
#define PATIENCE_MS     2000
#define KEY_EXCHANGE_MS 5000 /* longer than it takes on a slow link */
#define HURRY_MS        500  /* at most until the next try, where the network has changed */

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
	t->hurries = false;
	t->reason[0] = '\0';
	t->problem[0] = '\0';
	t->since_s = time(NULL);
	t->was_down_before = false;
	(void)uv_timer_start(&t->timer, on_lasting, LASTING_MS, 0);
	log_event(LOG_TUNNEL_CONNECTED, NULL, "the tunnel to %s port %u is up", t->options.host,
		  t->options.port);
	t->callbacks.connected(t);
}

static void on_said(struct process *process, const char *said)
{
	struct tunnel *t = container_of(process, struct tunnel, ssh);
	char line[PROCESS_SAID_SIZE];
	enum tunnel_ssh_line what;

	(void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(said, "\r"), said);
	what = tunnel_ssh_judge(line, t->address);
	switch (what) {
	case TUNNEL_SSH_CONNECTS:
		network_route_find(t->address, &t->route);
		break;
	case TUNNEL_SSH_HEARD:
		t->is_heard = true;
		t->exchanges_ms = uv_now(t->loop);
		break;
	case TUNNEL_SSH_AGREED:
		t->exchanges_ms = 0;
		break;
	case TUNNEL_SSH_GRANTED:
		if (t->state == TUNNEL_CONNECTING)
			become_connected(t);
		break;
	case TUNNEL_SSH_REASON:
		printable_copy(line, t->reason, sizeof(t->reason));
		break;
	case TUNNEL_SSH_CHATTER:
		(void)tunnel_ssh_tells_host_key(line, t->host_key);
		if (ssh_kex_of_line(line) != SSH_KEX_NONE)
			t->kex = ssh_kex_of_line(line);
		break;
	}
}

static void on_retry(uv_timer_t *timer);

static void wait_for_next_try(struct tunnel *t)
{
	uint32_t random = 0;
	uint32_t wait_ms;

	(void)RAND_bytes((unsigned char *)&random, sizeof(random)); /* 0 is a number, too */
	if (t->hurries)
		backoff_reset(&t->backoff);
	wait_ms = t->hurries ? random % HURRY_MS : backoff_next_ms(&t->backoff, random);
	t->hurries = false;
	log_debug("tunnel to %s: next try in %u ms", t->options.host, wait_ms);
	(void)uv_timer_start(&t->timer, on_retry, wait_ms, 0);
}

static void part_closed(struct tunnel *t)
{
	if (--t->open == 0)
		t->closed(t);
}

static void on_timer_closed(uv_handle_t *handle)
{
	part_closed(container_of((uv_timer_t *)handle, struct tunnel, timer));
}

static void on_probe_closed(struct tunnel_probe *probe)
{
	part_closed(container_of(probe, struct tunnel, probe));
}

/* Not again what was told already: it may be so for weeks, once a minute. */
static void tell_problem(struct tunnel *t)
{
	bool was_down = t->problem[0] != '\0';

	log_debug("tunnel to %s: %s", t->options.host, t->reason);
	if (strcmp(t->problem, t->reason) == 0)
		return;
	if (!was_down && !t->was_down_before)
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
	tunnel_probe_stop(&t->probe);
	wait_for_next_try(t);
	tell_problem(t);
}

/* The first large packets of a try are those of the key exchange. */
static void add_doubt(struct tunnel *t)
{
	const size_t used = strlen(t->reason);

	if (t->exchanges_ms && uv_now(t->loop) - t->exchanges_ms > KEY_EXCHANGE_MS)
		(void)snprintf(t->reason + used, sizeof(t->reason) - used,
			       ": the key exchange stood still; do full-size packets pass (the MTU "
			       "of the way)?");
}

static void on_exited(struct process *process, int exit_status, const struct err *err)
{
	struct tunnel *t = container_of(process, struct tunnel, ssh);

	if (t->state == TUNNEL_CLOSING) {
		part_closed(t);
		return;
	}
	if (err->code < 0)
		printable_copy(err->text, t->reason, sizeof(t->reason));
	else if (t->reason[0] == '\0')
		(void)snprintf(t->reason, sizeof(t->reason), "ssh ended with status %d",
			       exit_status);
	add_doubt(t);
	become_disconnected(t);
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
	t->address[0] = '\0';
	t->host_key[0] = '\0';
	network_route_find(t->options.host, &t->route);
	t->is_heard = false;
	t->exchanges_ms = 0;
	(void)uv_timer_start(&t->timer, on_too_long, CONNECTING_MS, 0);
	tunnel_ssh_start(&t->ssh, t->loop, &t->options, t->local_port, on_said, on_exited);
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

/* The network has changed. */

static void end_for_the_network(struct tunnel *t, const char *reason)
{
	(void)snprintf(t->reason, sizeof(t->reason), "%s", reason);
	t->hurries = true;
	process_end(&t->ssh, PATIENCE_MS);
}

static void on_probed(struct tunnel_probe *probe, bool is_answered)
{
	struct tunnel *t = container_of(probe, struct tunnel, probe);

	if (!is_answered && t->state == TUNNEL_CONNECTED)
		end_for_the_network(t,
				    "the network has changed, and nothing comes through any more");
}

void tunnel_look(struct tunnel *t)
{
	const bool has_lost_address = network_route_has_lost_its_source(&t->route);
	const char *there = t->address[0] ? t->address : t->options.host;

	if (t->state == TUNNEL_STOPPED || t->state == TUNNEL_CLOSING)
		return;
	if (!network_route_renew(there, &t->route) && !has_lost_address)
		return;
	log_debug("tunnel to %s: %s, and the network has changed", t->options.host,
		  tunnel_state_name(t->state));
	if (t->state == TUNNEL_WAITING) {
		t->hurries = true;
		wait_for_next_try(t);
	} else if (has_lost_address) {
		end_for_the_network(t, "this machine has lost the address that it connected from");
	} else if (t->state == TUNNEL_CONNECTED) {
		tunnel_probe_start(&t->probe, t->local_port);
	} else if (!t->is_heard) {
		end_for_the_network(t, "the network has changed");
	} else {
		t->hurries = true; /* if this try comes to nothing */
	}
}

void tunnel_init(struct tunnel *t, uv_loop_t *loop, const struct tunnel_options *options,
		 const struct tunnel_callbacks *callbacks)
{
	*t = (struct tunnel){
		.options = *options,
		.callbacks = *callbacks,
		.loop = loop,
		.local_port = options->local_port,
		.since_s = options->down_since_s,
		.was_down_before = options->down_since_s > 0,
	};
	(void)uv_timer_init(loop, &t->timer);
	tunnel_probe_init(&t->probe, loop, on_probed);
}

void tunnel_set_host_keys(struct tunnel *t, const struct span *host_keys, size_t n)
{
	t->options.host_keys = host_keys;
	t->options.n_host_keys = n;
	if (t->state != TUNNEL_WAITING)
		return;
	t->hurries = true;
	wait_for_next_try(t);
}

int tunnel_start(struct tunnel *t, struct err *err)
{
	struct err why;
	int rc = tunnel_ssh_check(&t->options, &why);

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
	t->open = 2;
	uv_close((uv_handle_t *)&t->timer, on_timer_closed);
	tunnel_probe_close(&t->probe, on_probe_closed);
	if (t->ssh.state == PROCESS_IDLE)
		return;
	t->open++;
	process_end(&t->ssh, PATIENCE_MS);
}
