/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/tunnels.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/printable.h"
#include "conductor/tunnels/tunnel_host.h"

#define RETRY_MS           1000
#define HELPER_PATIENCE_MS 3000

static void set_state(struct tunnels *t, enum tunnels_state state)
{
	static const char *const names[] = {"idle", "starting", "ready", "lost", "closing"};
	static const unsigned allowed[] = {
		[TUNNELS_IDLE] = 1u << TUNNELS_STARTING | 1u << TUNNELS_CLOSING,
		[TUNNELS_STARTING] =
			1u << TUNNELS_READY | 1u << TUNNELS_LOST | 1u << TUNNELS_CLOSING,
		[TUNNELS_READY] = 1u << TUNNELS_LOST | 1u << TUNNELS_CLOSING,
		[TUNNELS_LOST] = 1u << TUNNELS_STARTING | 1u << TUNNELS_CLOSING,
		[TUNNELS_CLOSING] = 0,
	};

	assert(allowed[t->state] & 1u << state);
	log_debug("tunnels: %s, was %s", names[state], names[t->state]);
	t->state = state;
}

static void reach_helper(struct tunnels *t);
static bool has_sshd(struct tunnels *t);

static void on_retry(uv_timer_t *timer)
{
	struct tunnels *t = container_of(timer, struct tunnels, retry);

	set_state(t, TUNNELS_STARTING);
	if (has_sshd(t))
		reach_helper(t);
}

static bool is_empty(const struct tunnels *t)
{
	return !t->channel_open && t->helper.state == PROCESS_IDLE;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct tunnels *t = handle->data;

	if (--t->open_timers == 0)
		t->closed(t);
}

/* Goes on once all that the lost helper had is closed. */
static void go_on_if_empty(struct tunnels *t)
{
	if (!is_empty(t))
		return;
	if (t->state == TUNNELS_LOST) {
		(void)uv_timer_start(&t->retry, on_retry, RETRY_MS, 0);
	} else if (t->state == TUNNELS_CLOSING) {
		uv_close((uv_handle_t *)&t->retry, on_timer_closed);
		uv_close((uv_handle_t *)&t->unanswerable, on_timer_closed);
	}
}

static void refuse_all(struct tunnels *t)
{
	struct tunnels_request *request;

	while ((request = t->refused) != NULL) {
		t->refused = request->next;
		request->answered(request, -ENOTCONN);
	}
}

static void on_unanswerable(uv_timer_t *timer)
{
	refuse_all(container_of(timer, struct tunnels, unanswerable));
}

static void refuse_later(struct tunnels *t, struct tunnels_request *request)
{
	request->next = t->refused;
	t->refused = request;
	if (!uv_is_closing((uv_handle_t *)&t->unanswerable))
		(void)uv_timer_start(&t->unanswerable, on_unanswerable, 0, 0);
}

static void refuse_waiting(struct tunnels *t)
{
	struct tunnels_request *request;

	while ((request = t->waiting) != NULL) {
		t->waiting = request->next;
		refuse_later(t, request);
	}
}

static void on_channel_closed(struct tunnel_channel *channel)
{
	struct tunnels *t = container_of(channel, struct tunnels, channel);

	t->channel_open = false;
	go_on_if_empty(t);
}

/* The helper ends when its channel ends. If it does not, it is killed. */
static void close_helper(struct tunnels *t)
{
	if (t->channel_open && t->channel.code != -ESHUTDOWN)
		tunnel_channel_close(&t->channel, on_channel_closed);
	process_end(&t->helper, HELPER_PATIENCE_MS);
}

/* Logs the loss once, and again only if the reason changes, since a helper that cannot be started
 * is tried again every second. */
static void lose(struct tunnels *t, const char *reason)
{
	bool news = t->state == TUNNELS_READY || strcmp(t->reason, reason) != 0;

	set_state(t, TUNNELS_LOST);
	if (reason != t->reason)
		printable_copy(reason, t->reason, sizeof(t->reason));
	if (news) {
		log_event(LOG_TUNNELS_LOST, &(struct log_fields){.reason = t->reason},
			  "no tunnels: %s", t->reason);
		t->options.lost(t->options.owner, t->reason);
	}
	refuse_waiting(t);
	if (t->state == TUNNELS_LOST) { /* not closed by the owner meanwhile */
		close_helper(t);
		go_on_if_empty(t);
	}
}

static void become_ready(struct tunnels *t, const struct tunnel_message *m)
{
	set_state(t, TUNNELS_READY);
	t->reason[0] = '\0';
	log_event(LOG_TUNNELS_READY, NULL, "routers can build their tunnels");
	t->options.ready(t->options.owner, &m->host_keys);
}

/* Checks what a reply brought. We would read for ever from a descriptor that is not what we asked
 * for. */
static int outcome_of(const struct tunnels_request *request, const struct tunnel_message *m, int fd)
{
	int rc;

	if (m->code < 0 || fd < 0) {
		if (fd >= 0)
			(void)close(fd);
		return m->code < 0 ? m->code : -EMFILE;
	}
	rc = request->listens ? tunnel_message_check_listener(fd)
			      : tunnel_message_check_connection(fd);
	if (rc == 0)
		return fd;
	(void)close(fd);
	return rc;
}

static void answer(struct tunnels *t, const struct tunnel_message *m, int fd)
{
	struct tunnels_request **at = &t->waiting;
	struct tunnels_request *request;

	while (*at && (*at)->id != m->id)
		at = &(*at)->next;
	request = *at;
	if (!request) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	*at = request->next;
	request->answered(request, outcome_of(request, m, fd));
}

static void take_word(struct tunnels *t, const struct tunnel_message *m)
{
	if (m->type == TUNNEL_READY && t->state == TUNNELS_STARTING)
		become_ready(t, m);
	else if (m->type == TUNNEL_AUTHENTICATED && t->state == TUNNELS_READY)
		t->options.authenticated(t->options.owner, m->id, m->fingerprint,
					 (enum ssh_kex)m->kex);
	else if (m->type == TUNNEL_ENDED && t->state == TUNNELS_READY)
		t->options.ended(t->options.owner, m->id);
}

static void on_received(struct tunnel_channel *channel, const struct tunnel_message *m, int fd)
{
	struct tunnels *t = container_of(channel, struct tunnels, channel);

	if (tunnel_message_is_from_helper(m) && m->type == TUNNEL_REPLY) {
		answer(t, m, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (tunnel_message_is_from_helper(m))
		take_word(t, m);
	else
		log_debug("tunnels: message %d is none to us", m->type);
}

static void on_broken(struct tunnel_channel *channel, int code)
{
	struct tunnels *t = container_of(channel, struct tunnels, channel);
	char reason[128];

	if (t->state == TUNNELS_LOST || t->state == TUNNELS_CLOSING)
		return;
	/* If our own helper has ended, it says why on stderr, and we may not have read that yet. */
	if (process_pid(&t->helper) && code == -EPIPE) {
		tunnel_channel_close(&t->channel, on_channel_closed);
		process_end(&t->helper, HELPER_PATIENCE_MS);
		return;
	}
	(void)snprintf(reason, sizeof(reason), "the channel to its helper: %s", strerror(-code));
	lose(t, reason);
}

static void on_said(struct process *process, const char *line)
{
	struct tunnels *t = container_of(process, struct tunnels, helper);

	if (*line == '\0')
		return;
	/* The helper logs to the journal, as we do. If we log to stderr, we write its lines there.
	 */
	printable_copy(line, t->said, sizeof(t->said));
	(void)fprintf(stderr, "%s\n", t->said);
}

static void on_exited(struct process *process, int exit_status, const struct err *err)
{
	struct tunnels *t = container_of(process, struct tunnels, helper);
	char reason[2 * PROCESS_SAID_SIZE];

	if (err->code < 0)
		(void)snprintf(reason, sizeof(reason), "%s", err->text);
	else
		(void)snprintf(reason, sizeof(reason), "its helper ended with status %d: %s",
			       exit_status, t->said);
	if (t->state == TUNNELS_STARTING || t->state == TUNNELS_READY)
		lose(t, reason);
	else
		go_on_if_empty(t);
}

/* Starts the helper. Returns our end of the channel. */
static int start_helper(struct tunnels *t)
{
	struct process_options options = {
		.argv = t->options.argv,
		.stdio = -1,
		.said = on_said,
		.exited = on_exited,
	};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	options.fd = ends[1];
	t->said[0] = '\0';
	process_start(&t->helper, t->loop, &options);
	(void)close(ends[1]);
	return ends[0];
}

/* Without it each session would end as soon as it begins. */
static bool has_sshd(struct tunnels *t)
{
	char reason[PROCESS_SAID_SIZE];

	if (access(TUNNEL_HOST_SSHD, X_OK) == 0)
		return true;
	(void)snprintf(reason, sizeof(reason), "%s cannot be run: %s: install openssh-server",
		       TUNNEL_HOST_SSHD, strerror(errno));
	lose(t, reason);
	return false;
}

static void reach_helper(struct tunnels *t)
{
	char reason[PROCESS_SAID_SIZE];
	int fd = t->options.argv ? start_helper(t) : tunnel_channel_connect(t->options.socket);
	int rc =
		fd < 0 ? fd : tunnel_channel_open(&t->channel, t->loop, fd, on_received, on_broken);

	if (rc == 0) {
		t->channel_open = true;
		return;
	}
	(void)snprintf(reason, sizeof(reason), "reach its helper%s%s: %s",
		       t->options.argv ? "" : " at ", t->options.argv ? "" : t->options.socket,
		       strerror(-rc));
	lose(t, reason);
}

void tunnels_start(struct tunnels *t, uv_loop_t *loop, const struct tunnels_options *options)
{
	*t = (struct tunnels){
		.options = *options,
		.loop = loop,
		.retry.data = t,
		.unanswerable.data = t,
		.open_timers = 2,
	};
	(void)uv_timer_init(loop, &t->retry);
	(void)uv_timer_init(loop, &t->unanswerable);
	(void)uv_timer_start(&t->retry, on_retry, 0, 0);
}

void tunnels_close(struct tunnels *t, void (*closed)(struct tunnels *t))
{
	set_state(t, TUNNELS_CLOSING);
	t->closed = closed;
	(void)uv_timer_stop(&t->retry);
	refuse_waiting(t);
	refuse_all(t);
	close_helper(t);
	go_on_if_empty(t);
}

bool tunnels_has_room(const struct tunnels *t)
{
	return t->state == TUNNELS_READY && tunnel_channel_has_room(&t->channel);
}

int tunnels_session(struct tunnels *t, uint32_t id, int fd, uint16_t seconds)
{
	const struct tunnel_message message = {
		.type = TUNNEL_SESSION,
		.id = id,
		.seconds = seconds,
		.kex_order = t->options.kex_order,
	};

	if (t->state == TUNNELS_READY)
		return tunnel_channel_send(&t->channel, &message, fd);
	(void)close(fd);
	return -ENOTCONN;
}

/* The message may be lost for want of memory. But the session's socket is shut down already, and
 * sshd notices that. */
void tunnels_end_session(struct tunnels *t, uint32_t id)
{
	const struct tunnel_message message = {.type = TUNNEL_END_SESSION, .id = id};

	if (t->state == TUNNELS_READY)
		(void)tunnel_channel_send(&t->channel, &message, -1);
}

int tunnels_end_key(struct tunnels *t, const uint8_t blob[SSH_KEY_ED25519_SIZE])
{
	struct tunnel_message message = {.type = TUNNEL_END_KEY};

	authorized_key_fingerprint(blob, message.fingerprint);
	return t->state == TUNNELS_READY ? tunnel_channel_send(&t->channel, &message, -1) : 0;
}

static void request(struct tunnels *t, struct tunnels_request *request,
		    enum tunnel_message_type type, uint16_t port)
{
	const struct tunnel_message message = {
		.type = type,
		.id = ++t->last_request,
		.port = port,
	};

	request->id = message.id;
	request->listens = type == TUNNEL_LISTEN;
	if (t->state != TUNNELS_READY || tunnel_channel_send(&t->channel, &message, -1) < 0) {
		refuse_later(t, request);
		return;
	}
	request->next = t->waiting;
	t->waiting = request;
}

void tunnels_connect(struct tunnels *t, struct tunnels_request *r, uint16_t port,
		     tunnels_answered_cb answered)
{
	r->answered = answered;
	request(t, r, TUNNEL_CONNECT, port);
}

void tunnels_listen(struct tunnels *t, struct tunnels_request *r, uint16_t port,
		    tunnels_answered_cb answered)
{
	r->answered = answered;
	request(t, r, TUNNEL_LISTEN, port);
}
