/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fleet_router.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"

#define PIECE      (1u << 20)
#define BLOCK      (256u << 10)
#define STALL_MS   30000
#define AT_ONCE_MS 200

struct fleet fleet;

void fleet_die(const char *what, const char *why)
{
	(void)fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

uint64_t fleet_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A request. */

static void fail(struct fleet_link *l);

static void open_link(struct fleet_link *l)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = l};

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	l->asked = false;
	if (l->fd < 0 || epoll_ctl(fleet.epoll, EPOLL_CTL_ADD, l->fd, &event) < 0)
		fleet_die("socket", strerror(errno));
	if (connect(l->fd, (const struct sockaddr *)&l->router->places[l->place],
		    sizeof(l->router->places[0])) < 0 &&
	    errno != EINPROGRESS)
		fail(l);
}

static void send_request(struct fleet_link *l)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
	char range[96] = "";
	char path[2 * PATH_MAX];
	char text[3 * PATH_MAX];
	int n;

	if (l->router->step == STEP_INDEX)
		(void)snprintf(path, sizeof(path), "/index.json");
	else if (l->router->step == STEP_MANIFEST)
		(void)snprintf(path, sizeof(path), "/%s/manifest.jws", fleet.version);
	else
		(void)snprintf(path, sizeof(path), "/%s/%s", fleet.version, fleet.file);
	if (l->router->step >= STEP_PROBE)
		(void)snprintf(range, sizeof(range), "Range: bytes=%llu-%llu\r\n",
			       (unsigned long long)l->at, (unsigned long long)l->end - 1);
	n = snprintf(text, sizeof(text),
		     "GET %s HTTP/1.1\r\nHost: conductor\r\n%sAccept: */*\r\n\r\n", path, range);
	(void)epoll_ctl(fleet.epoll, EPOLL_CTL_MOD, l->fd, &event);
	if (send(l->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return; /* its end is told by the next event */
	l->asked = true;
	l->in_body = false;
	l->n_head = 0;
	l->left = 0;
}

/* Once more: it has waited since it wanted that. */
static void ask_again(struct fleet_link *l)
{
	l->asked_ms = fleet_now_ms();
	l->heard_ms = l->asked_ms;
	l->router->requests++;
	if (l->fd < 0)
		open_link(l);
	else
		send_request(l);
}

static void ask(struct fleet_link *l, uint64_t first, uint64_t end)
{
	l->first = first;
	l->at = first;
	l->end = end;
	l->wanted_ms = fleet_now_ms();
	ask_again(l);
}

static void fail(struct fleet_link *l)
{
	struct fleet_router *r = l->router;

	(void)close(l->fd);
	l->fd = -1;
	r->failures++;
	l->place = (l->place + 1) % r->n_places;
	l->first = l->at;
	if (l->in_body)
		l->wanted_ms = fleet_now_ms();
	l->in_body = false;
	l->rests = fleet_now_ms() - l->asked_ms < AT_ONCE_MS;
	if (!l->rests)
		ask_again(l);
}

/* Which: download/engine/picker.c's run_from(), where nothing was given back. */

static uint64_t end_of_piece(uint64_t at)
{
	return MIN((at / PIECE + 1) * PIECE, fleet.size);
}

static void ask_for_run(struct fleet_link *l)
{
	struct fleet_router *r = l->router;
	uint64_t share = (fleet.size - r->next) / fleet.n_links;
	uint64_t want = MIN(source_request_length(&r->source), share);
	uint64_t end = end_of_piece(r->next);

	if (r->next == fleet.size)
		return;
	while (end < fleet.size && end_of_piece(end) - r->next <= want)
		end = end_of_piece(end);
	ask(l, r->next, end);
	r->next = end;
}

static void finish(struct fleet_router *r)
{
	r->finished_ms = fleet_now_ms();
	for (unsigned i = 0; i < fleet.n_links; i++)
		if (r->links[i].fd >= 0)
			(void)close(r->links[i].fd);
	fleet.finished(r);
}

static void on_request_done(struct fleet_link *l)
{
	struct fleet_router *r = l->router;

	l->asked = false;
	switch (r->step) {
	case STEP_INDEX:
		r->step = STEP_MANIFEST;
		ask(l, 0, 0);
		return;
	case STEP_MANIFEST:
		r->step = STEP_PROBE;
		r->next = MIN(PROBE_BYTES, fleet.size);
		ask(l, 0, r->next);
		return;
	case STEP_PROBE:
		r->step = STEP_RUNS;
		source_note_rate(&r->source, l->end - l->first, fleet_now_ms() - l->asked_ms);
		for (unsigned i = 0; i < fleet.n_links; i++)
			ask_for_run(&r->links[i]);
		break;
	case STEP_RUNS:
		source_note_rate(&r->source, l->end - l->first, fleet_now_ms() - l->asked_ms);
		ask_for_run(l);
		break;
	}
	if (r->received == fleet.size)
		finish(r);
}

/* What comes. */

static void take_body(struct fleet_link *l, const uint8_t *bytes, size_t n)
{
	if (n > l->left)
		fleet_die("a reply", "longer than it said");
	l->left -= n;
	if (l->router->step >= STEP_PROBE) {
		if (memcmp(bytes, fleet.image + l->at, n) != 0)
			fleet_die("a reply", "not what is in the image");
		l->at += n;
		l->router->received += n;
	}
	if (l->left == 0)
		on_request_done(l);
}

static void read_head(struct fleet_link *l)
{
	const bool is_image = l->router->step >= STEP_PROBE;
	const char *length = strcasestr(l->head, "\r\nContent-Length: ");
	char expected[96];

	(void)snprintf(expected, sizeof(expected), "\r\nContent-Range: bytes %llu-%llu/%llu\r\n",
		       (unsigned long long)l->at, (unsigned long long)l->end - 1,
		       (unsigned long long)fleet.size);
	if (strncmp(l->head, is_image ? "HTTP/1.1 206" : "HTTP/1.1 200", 12) != 0 || !length ||
	    (is_image && !strcasestr(l->head, expected)))
		fleet_die("not the reply that was asked for", l->head);
	l->left = strtoull(length + 18, NULL, 10);
	l->in_body = true;
	l->router->longest_ms = MAX(l->router->longest_ms, fleet_now_ms() - l->wanted_ms);
}

static void take(struct fleet_link *l, const uint8_t *bytes, size_t n)
{
	const char *end;
	size_t before = l->n_head;
	size_t used;

	l->heard_ms = fleet_now_ms();
	if (l->in_body) {
		take_body(l, bytes, n);
		return;
	}
	used = MIN(n, FLEET_HEAD_MAX - 1 - before);
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

void fleet_router_on_event(struct fleet_link *l, uint32_t events)
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
		if (l->asked || l->at < l->end || l->router->step < STEP_PROBE)
			fail(l);
		else
			(void)epoll_ctl(fleet.epoll, EPOLL_CTL_DEL, l->fd, NULL);
	}
}

void fleet_router_look(struct fleet_router *r)
{
	const uint64_t now = fleet_now_ms();

	for (unsigned k = 0; k < fleet.n_links && fleet_router_runs(r); k++) {
		struct fleet_link *l = &r->links[k];

		if (l->rests) {
			l->rests = false;
			ask_again(l);
		} else if (l->fd >= 0 && (l->at < l->end || r->step < STEP_PROBE) &&
			   now - l->heard_ms > STALL_MS) {
			fail(l);
		}
	}
}

bool fleet_router_runs(const struct fleet_router *r)
{
	return r->begun_ms > 0 && r->finished_ms == 0;
}

void fleet_router_begin(struct fleet_router *r)
{
	r->step = STEP_INDEX;
	r->next = r->received = r->finished_ms = r->longest_ms = 0;
	r->requests = r->failures = 0;
	source_init(&r->source, "conductor", SOURCE_CONDUCTOR);
	for (unsigned i = 0; i < fleet.n_links; i++)
		r->links[i] = (struct fleet_link){.router = r, .fd = -1};
	r->begun_ms = fleet_now_ms();
	ask(&r->links[0], 0, 0);
}
