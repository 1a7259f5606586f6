/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routers by the hundred that take an image from a conductor, for tests/bench/fleet: what stewardd
 * asks, over as many connections, with the pace of download/engine/source.c. What comes is compared
 *with the image, and not kept.
 *
 *	fleet_load VERSION IMAGE CONNECTIONS FILE
 *
 * FILE has a line for each router: the address and port of its conductor's repository. Prints
 * "ready", waits for a line on stdin, and then prints for each router "SECONDS REQUESTS FAILURES
 * LONGEST", the last being the longest that it waited for a reply to begin.
 *
 * A router asks for index.json, for the manifest, for the image's first 64 KiB alone, and from then
 *on over all its connections for runs of pieces that last about 4 s at the present rate; towards
 *the end they get shorter. They are kept alive. A request that fails, or brings nothing for 30 s,
 *is made again for what is left of it, over a new connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "download/engine/source.h"

#define ROUTERS_MAX 1024
#define CONNECTIONS 8
#define PIECE       (1u << 20)
#define HEAD_MAX    4096
#define BLOCK       (256u << 10)
#define STALL_MS    30000
#define LOOK_MS     1000

enum step { STEP_INDEX, STEP_MANIFEST, STEP_PROBE, STEP_RUNS };

struct link {
	struct router *router;
	int fd; /* -1 = none, or not yet */
	bool asked;
	bool in_body;
	uint64_t first;
	uint64_t at; /* of the image */
	uint64_t end;
	uint64_t left; /* of the body */
	uint64_t asked_ms;
	uint64_t heard_ms;
	size_t n_head;
	char head[HEAD_MAX];
};

struct router {
	struct sockaddr_in conductor;
	enum step step;
	struct source source;
	uint64_t next; /* byte that nobody has been asked for */
	uint64_t received;
	uint64_t finished_ms; /* 0 = not yet */
	unsigned requests;
	unsigned failures;
	uint64_t longest_ms;
	struct link links[CONNECTIONS];
};

static struct {
	const char *version;
	const char *file;
	const uint8_t *image;
	uint64_t size;
	unsigned n_links;
	struct router routers[ROUTERS_MAX];
	unsigned n_routers;
	unsigned n_finished;
	int epoll;
} load;

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A request. */

static void open_link(struct link *l)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = l};

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	l->asked = false;
	if (l->fd < 0 || epoll_ctl(load.epoll, EPOLL_CTL_ADD, l->fd, &event) < 0)
		die("socket", strerror(errno));
	if (connect(l->fd, (const struct sockaddr *)&l->router->conductor,
		    sizeof(l->router->conductor)) < 0 &&
	    errno != EINPROGRESS)
		die("connect", strerror(errno));
}

static void send_request(struct link *l)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
	char range[96] = "";
	char path[2 * PATH_MAX];
	char text[3 * PATH_MAX];
	int n;

	if (l->router->step == STEP_INDEX)
		(void)snprintf(path, sizeof(path), "/index.json");
	else if (l->router->step == STEP_MANIFEST)
		(void)snprintf(path, sizeof(path), "/%s/manifest.jws", load.version);
	else
		(void)snprintf(path, sizeof(path), "/%s/%s", load.version, load.file);
	if (l->router->step >= STEP_PROBE)
		(void)snprintf(range, sizeof(range), "Range: bytes=%llu-%llu\r\n",
			       (unsigned long long)l->at, (unsigned long long)l->end - 1);
	n = snprintf(text, sizeof(text),
		     "GET %s HTTP/1.1\r\nHost: conductor\r\n%sAccept: */*\r\n\r\n", path, range);
	(void)epoll_ctl(load.epoll, EPOLL_CTL_MOD, l->fd, &event);
	if (send(l->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return; /* its end is told by the next event */
	l->asked = true;
	l->in_body = false;
	l->n_head = 0;
	l->left = 0;
}

static void ask(struct link *l, uint64_t first, uint64_t end)
{
	l->first = first;
	l->at = first;
	l->end = end;
	l->asked_ms = now_ms();
	l->heard_ms = l->asked_ms;
	l->router->requests++;
	if (l->fd < 0)
		open_link(l);
	else
		send_request(l);
}

static void fail(struct link *l)
{
	(void)close(l->fd);
	l->fd = -1;
	l->router->failures++;
	ask(l, l->at, l->end);
}

/* Which: download/engine/picker.c's run_from(), where nothing was given back. */

static uint64_t end_of_piece(uint64_t at)
{
	return MIN((at / PIECE + 1) * PIECE, load.size);
}

static void ask_for_run(struct link *l)
{
	struct router *r = l->router;
	uint64_t share = (load.size - r->next) / load.n_links;
	uint64_t want = MIN(source_request_length(&r->source), share);
	uint64_t end = end_of_piece(r->next);

	if (r->next == load.size)
		return;
	while (end < load.size && end_of_piece(end) - r->next <= want)
		end = end_of_piece(end);
	ask(l, r->next, end);
	r->next = end;
}

static void finish(struct router *r)
{
	r->finished_ms = now_ms();
	load.n_finished++;
	for (unsigned i = 0; i < load.n_links; i++)
		if (r->links[i].fd >= 0)
			(void)close(r->links[i].fd);
}

static void on_request_done(struct link *l)
{
	struct router *r = l->router;

	l->asked = false;
	switch (r->step) {
	case STEP_INDEX:
		r->step = STEP_MANIFEST;
		ask(l, 0, 0);
		return;
	case STEP_MANIFEST:
		r->step = STEP_PROBE;
		r->next = MIN(PROBE_BYTES, load.size);
		ask(l, 0, r->next);
		return;
	case STEP_PROBE:
		r->step = STEP_RUNS;
		source_note_rate(&r->source, l->end - l->first, now_ms() - l->asked_ms);
		for (unsigned i = 0; i < load.n_links; i++)
			ask_for_run(&r->links[i]);
		break;
	case STEP_RUNS:
		source_note_rate(&r->source, l->end - l->first, now_ms() - l->asked_ms);
		ask_for_run(l);
		break;
	}
	if (r->received == load.size)
		finish(r);
}

/* What comes. */

static void take_body(struct link *l, const uint8_t *bytes, size_t n)
{
	if (n > l->left)
		die("a reply", "longer than it said");
	l->left -= n;
	if (l->router->step >= STEP_PROBE) {
		if (memcmp(bytes, load.image + l->at, n) != 0)
			die("a reply", "not what is in the image");
		l->at += n;
		l->router->received += n;
	}
	if (l->left == 0)
		on_request_done(l);
}

static void read_head(struct link *l)
{
	const bool is_image = l->router->step >= STEP_PROBE;
	const char *length = strcasestr(l->head, "\r\nContent-Length: ");
	char expected[96];

	(void)snprintf(expected, sizeof(expected), "\r\nContent-Range: bytes %llu-%llu/%llu\r\n",
		       (unsigned long long)l->at, (unsigned long long)l->end - 1,
		       (unsigned long long)load.size);
	if (strncmp(l->head, is_image ? "HTTP/1.1 206" : "HTTP/1.1 200", 12) != 0 || !length ||
	    (is_image && !strcasestr(l->head, expected)))
		die("not the reply that was asked for", l->head);
	l->left = strtoull(length + 18, NULL, 10);
	l->in_body = true;
	l->router->longest_ms = MAX(l->router->longest_ms, now_ms() - l->asked_ms);
}

static void take(struct link *l, const uint8_t *bytes, size_t n)
{
	const char *end;
	size_t before = l->n_head;
	size_t used;

	l->heard_ms = now_ms();
	if (l->in_body) {
		take_body(l, bytes, n);
		return;
	}
	used = MIN(n, HEAD_MAX - 1 - before);
	memcpy(l->head + before, bytes, used);
	l->n_head += used;
	l->head[l->n_head] = '\0';
	end = strstr(l->head, "\r\n\r\n");
	if (!end)
		return;
	used = (size_t)(end + 4 - l->head) - before;
	l->head[before + used] = '\0';
	read_head(l);
	if (n > used)
		take_body(l, bytes + used, n - used);
}

static void on_event(struct link *l, uint32_t events)
{
	static uint8_t block[BLOCK];
	ssize_t n;

	if (l->router->finished_ms > 0)
		return;
	if (!l->asked && events & EPOLLOUT) {
		send_request(l);
		return;
	}
	n = recv(l->fd, block, sizeof(block), 0);
	if (n > 0 && l->asked) {
		take(l, block, (size_t)n);
	} else if (n == 0 || (n < 0 && errno != EAGAIN)) {
		if (l->asked || l->at < l->end)
			fail(l);
		else
			(void)epoll_ctl(load.epoll, EPOLL_CTL_DEL, l->fd, NULL);
	}
}

static void look_for_stalls(void)
{
	const uint64_t now = now_ms();

	for (unsigned i = 0; i < load.n_routers; i++)
		for (unsigned k = 0; k < load.n_links && load.routers[i].finished_ms == 0; k++) {
			struct link *l = &load.routers[i].links[k];

			if (l->fd >= 0 && l->at < l->end && now - l->heard_ms > STALL_MS)
				fail(l);
		}
}

/* From start to end. */

static void read_router(struct router *r, char *line)
{
	const char *address = strtok(line, " \n");
	const char *port = strtok(NULL, " \n");

	if (!address || !port || inet_pton(AF_INET, address, &r->conductor.sin_addr) != 1)
		die("a line", "it has no address and port");
	r->conductor.sin_family = AF_INET;
	r->conductor.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	source_init(&r->source, "conductor", SOURCE_CONDUCTOR);
	for (unsigned i = 0; i < load.n_links; i++)
		r->links[i] = (struct link){.router = r, .fd = -1};
}

static void read_routers(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		die(path, strerror(errno));
	while (getline(&line, &size, file) > 0) {
		if (load.n_routers == ROUTERS_MAX)
			die(path, "too many routers");
		read_router(&load.routers[load.n_routers++], line);
	}
	free(line);
	(void)fclose(file);
}

static void map_image(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *mapped;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path, strerror(errno));
	load.size = (uint64_t)st.st_size;
	mapped = mmap(NULL, load.size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (mapped == MAP_FAILED)
		die(path, strerror(errno));
	load.image = mapped;
	load.file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	(void)close(fd);
}

static void run(void)
{
	struct epoll_event events[64];
	uint64_t looked_ms = now_ms();

	for (unsigned i = 0; i < load.n_routers; i++)
		ask(&load.routers[i].links[0], 0, 0);
	while (load.n_finished < load.n_routers) {
		int n = epoll_wait(load.epoll, events, N_ELEMENTS(events), LOOK_MS);

		for (int i = 0; i < n; i++)
			on_event(events[i].data.ptr, events[i].events);
		if (now_ms() - looked_ms < LOOK_MS)
			continue;
		looked_ms = now_ms();
		look_for_stalls();
	}
}

int main(int argc, char **argv)
{
	uint64_t started_ms;

	load.n_links = argc == 5 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	if (load.n_links < 1 || load.n_links > CONNECTIONS)
		die("usage", "fleet_load VERSION IMAGE CONNECTIONS FILE");
	load.version = argv[1];
	map_image(argv[2]);
	read_routers(argv[4]);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	(void)puts("ready");
	(void)fflush(stdout);
	(void)getchar();
	started_ms = now_ms();
	run();
	for (unsigned i = 0; i < load.n_routers; i++) {
		const struct router *r = &load.routers[i];

		(void)printf("%.3f %u %u %.3f\n", (double)(r->finished_ms - started_ms) / 1000,
			     r->requests, r->failures, (double)r->longest_ms / 1000);
	}
	return 0;
}
