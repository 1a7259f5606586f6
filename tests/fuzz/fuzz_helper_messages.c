/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What conductord and its helper say to each other, with descriptors: the first byte says who hears
 * it, and then each step is a message, an end of something, or what the other asks for meanwhile.
 * The real channel on a real socket; sshd is nobody, who says and ends as the steps have it. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/macros.h"
#include "base/process.h"
#include "conductor/tunnels/tunnel_desk.h"
#include "conductor/tunnels/tunnels.h"

#define STEPS_MAX    64
#define SESSIONS_MAX 64

/* Processes: in place of base/process. */

static struct process *processes[SESSIONS_MAX];

void process_start(struct process *p, uv_loop_t *loop, const struct process_options *options)
{
	(void)loop;
	HOLDS(options->argv && fcntl(options->stdio, F_GETFD) >= 0);
	*p = (struct process){
		.state = PROCESS_RUNNING,
		.said = options->said,
		.exited = options->exited,
	};
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (!processes[i]) {
			processes[i] = p;
			return;
		}
	HOLDS(!"there are as many steps");
}

void process_end(struct process *p, uint64_t patience_ms)
{
	(void)patience_ms;
	if (p->state == PROCESS_RUNNING)
		p->state = PROCESS_ENDING;
}

pid_t process_pid(const struct process *p)
{
	(void)p;
	return 0; /* nobody to set limits to */
}

static void let_one_end(unsigned i)
{
	struct process *p = processes[i % SESSIONS_MAX];
	struct err none = {0};

	if (!p)
		return;
	processes[i % SESSIONS_MAX] = NULL;
	p->state = PROCESS_IDLE;
	p->exited(p, 255, &none);
}

static void let_one_say(unsigned i, unsigned key)
{
	struct process *p = processes[i % SESSIONS_MAX];
	char line[128];

	(void)snprintf(line, sizeof(line),
		       "Accepted publickey for u from 192.0.2.1 port 1 ssh2: ED25519 SHA256:%043u",
		       key);
	if (p)
		p->said(p, line);
}

static void let_all_end(void)
{
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		let_one_end(i);
}

/* Steps. */

struct steps {
	const uint8_t *at;
	size_t left;
};

static uint8_t next(struct steps *s)
{
	if (s->left == 0)
		return 0;
	s->left--;
	return *s->at++;
}

/* As many of the step's bytes as a message has, or another number. */
static size_t take(struct steps *s, uint8_t *ret, size_t size)
{
	size_t n = MIN(size, s->left);

	memset(ret, 0, size);
	memcpy(ret, s->at, n);
	s->at += n;
	s->left -= n;
	return size;
}

static int make_descriptor(unsigned kind)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd;

	switch (kind % 6) {
	case 1:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 2:
		return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case 3:
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		HOLDS(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0);
		return fd;
	case 4:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case 5:
		return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	default:
		return -1;
	}
}

static void send_bytes(int to, const void *bytes, size_t size, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_len = size};
	struct msghdr all = {.msg_iov = &part, .msg_iovlen = 1};

	memcpy(&part.iov_base, &bytes, sizeof(bytes));
	if (fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
		all.msg_control = &control;
		all.msg_controllen = sizeof(control);
	}
	(void)!sendmsg(to, &all, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (fd >= 0)
		(void)close(fd);
}

/* One message: its type and how much of it is right, then its bytes. */
static void send_step(int to, struct steps *s)
{
	uint8_t how = next(s);
	struct tunnel_message message;
	uint8_t bytes[sizeof(message)];

	if (how & 0x80) { /* as it comes */
		size_t size = 1 + next(s) % sizeof(bytes);

		send_bytes(to, bytes, take(s, bytes, size), make_descriptor(how));
		return;
	}
	(void)take(s, bytes, 12);
	memset(&message, 0, sizeof(message));
	message.type = (enum tunnel_message_type)(how & 0x0f);
	message.id = bytes[0];
	message.code = -(int32_t)bytes[1];
	message.port = bytes[2];
	message.seconds = bytes[3];
	(void)snprintf(message.fingerprint, sizeof(message.fingerprint), "%043u", bytes[4] % 4u);
	if (how & 0x40)
		memcpy(message.fingerprint, bytes + 5, 7);
	send_bytes(to, &message, sizeof(message), make_descriptor(how >> 4 & 7));
}

static void run_loop(uv_loop_t *loop)
{
	for (unsigned i = 0; i < 4; i++)
		(void)uv_run(loop, UV_RUN_NOWAIT);
}

static unsigned first_free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	HOLDS(fd >= 0);
	(void)close(fd);
	return (unsigned)fd;
}

/* The helper hears. */

static void on_gone(struct tunnel_desk *d)
{
	tunnel_desk_leave(d);
}

static void on_emptied(struct tunnel_desk *d)
{
	d->emptied = NULL;
}

static void helper_hears(struct steps *s)
{
	static const struct host_keys host_keys;
	struct tunnel_desk desk = {.gone = on_gone, .emptied = on_emptied};
	uv_loop_t loop;
	int ends[2];

	HOLDS(uv_loop_init(&loop) == 0);
	HOLDS(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	tunnel_desk_init(&desk, &(struct tunnel_sessions){
					.loop = &loop, .sshd = "sshd", .config = "c", .user = "u"});
	HOLDS(tunnel_desk_open(&desk, ends[0], &host_keys) == 0);
	for (unsigned i = 0; i < STEPS_MAX && s->left > 0; i++) {
		uint8_t what = next(s);

		if (what < 0xc0)
			send_step(ends[1], s);
		else if (what < 0xe0)
			let_one_say(next(s), next(s) % 4u);
		else
			let_one_end(next(s));
		run_loop(&loop);
	}
	if (desk.serving)
		tunnel_desk_leave(&desk);
	let_all_end();
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	HOLDS(!desk.sessions.first && !desk.emptied);
	HOLDS(uv_loop_close(&loop) == 0);
	(void)close(ends[1]);
}

/* conductord hears. */

static struct tunnels tunnels;
static struct tunnels_request requests[STEPS_MAX];
static bool is_asked[STEPS_MAX];

static void on_ready(void *owner, const struct host_keys *host_keys)
{
	(void)owner;
	(void)host_keys;
}

static void on_lost(void *owner, const char *reason)
{
	(void)owner;
	HOLDS(*reason);
}

static void on_authenticated(void *owner, uint32_t id, const char *fingerprint, enum ssh_kex kex)
{
	(void)owner;
	HOLDS(kex < SSH_KEX_END);
	(void)id;
	HOLDS(strlen(fingerprint) == AUTHORIZED_KEY_FINGERPRINT_SIZE - 1);
}

static void on_ended(void *owner, uint32_t id)
{
	(void)owner;
	(void)id;
}

static void on_answered(struct tunnels_request *request, int fd)
{
	socklen_t size = sizeof(int);
	int listens = -1;

	HOLDS(is_asked[request - requests]);
	is_asked[request - requests] = false;
	if (fd < 0)
		return;
	HOLDS(fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	HOLDS(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0);
	HOLDS(listens == request->listens);
	(void)close(fd);
}

static void on_closed(struct tunnels *t)
{
	t->loop = NULL;
}

static void ask(struct steps *s, unsigned i)
{
	uint8_t what = next(s);
	uint8_t key[SSH_KEY_ED25519_SIZE] = {next(s)};

	if (what % 5 < 2) {
		is_asked[i] = true;
		(what % 5 == 0 ? tunnels_connect : tunnels_listen)(
			&tunnels, &requests[i], (uint16_t)(1 + next(s)), on_answered);
	} else if (what % 5 == 2) {
		(void)tunnels_session(&tunnels, next(s), make_descriptor(2), 10);
	} else if (what % 5 == 3) {
		tunnels_end_session(&tunnels, next(s));
	} else {
		(void)tunnels_end_key(&tunnels, key);
	}
}

/* Where a helper of systemd's would listen. */
static int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)unlink(path);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	HOLDS(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0);
	return fd;
}

static void conductord_hears(struct steps *s)
{
	static char path[64];
	const struct tunnels_options options = {
		.socket = path,
		.ready = on_ready,
		.lost = on_lost,
		.authenticated = on_authenticated,
		.ended = on_ended,
	};
	uv_loop_t loop;
	int listener;
	int peer;

	(void)snprintf(path, sizeof(path), "/tmp/steward-fuzz-%d.sock", (int)getpid());
	listener = listen_at(path);
	HOLDS(uv_loop_init(&loop) == 0);
	tunnels_start(&tunnels, &loop, &options);
	run_loop(&loop);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	HOLDS(peer >= 0);
	for (unsigned i = 0; i < STEPS_MAX && s->left > 0; i++) {
		if (next(s) < 0xc0)
			send_step(peer, s);
		else
			ask(s, i);
		run_loop(&loop);
	}
	tunnels_close(&tunnels, on_closed);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	HOLDS(!tunnels.loop && uv_loop_close(&loop) == 0);
	for (unsigned i = 0; i < STEPS_MAX; i++)
		HOLDS(!is_asked[i]);
	(void)close(peer);
	(void)close(listener);
	(void)unlink(path);
}

/* What is told of, once for each of them, is not what is looked for. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct steps steps = {.at = bytes, .left = size};
	unsigned before = first_free_descriptor();

	if (next(&steps) & 1)
		helper_hears(&steps);
	else
		conductord_hears(&steps);
	HOLDS(first_free_descriptor() == before);
	return 0;
}
