/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fleet_router.h - one of the routers of fleet_load.c: what stewardd asks for an image, with the
 * pace of download/engine/source.c.
 *
 * A router asks for index.json, for the manifest, for the image's first 64 KiB alone, and from then
 * on over all its connections for runs of pieces that last about 4 s at the present rate; towards
 * the end they get shorter. They are kept alive. A request that fails, or brings nothing for 30 s,
 * is made again for what is left of it, over a new connection, and to the next of its places; a
 * second later where its place failed it at once.
 *
 * What is wrong with a reply ends the program.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "download/engine/source.h"

#define FLEET_CONNECTIONS 8
#define FLEET_PLACES      2
#define FLEET_HEAD_MAX    4096

enum fleet_step { STEP_INDEX, STEP_MANIFEST, STEP_PROBE, STEP_RUNS };

struct fleet_link {
	struct fleet_router *router;
	int fd; /* -1 = none, or not yet */
	unsigned place;
	bool asked;
	bool in_body;
	bool rests; /* its place failed it at once: it asks again at the next look */
	uint64_t first;
	uint64_t at; /* of the image */
	uint64_t end;
	uint64_t left;      /* of the body */
	uint64_t wanted_ms; /* since when the reply is waited for, also over requests that failed */
	uint64_t asked_ms;
	uint64_t heard_ms;
	size_t n_head;
	char head[FLEET_HEAD_MAX];
};

struct fleet_router {
	struct sockaddr_in places[FLEET_PLACES]; /* its conductors' repositories */
	unsigned n_places;
	enum fleet_step step;
	struct source source;
	uint64_t next; /* byte that nobody has been asked for */
	uint64_t received;
	uint64_t begun_ms;    /* 0 = not yet */
	uint64_t finished_ms; /* likewise */
	unsigned requests;
	unsigned failures;
	uint64_t longest_ms; /* that it waited for a reply to begin */
	struct fleet_link links[FLEET_CONNECTIONS];
};

/* What all of them have in common: set before the first one begins. */
extern struct fleet {
	const char *version;
	const char *file;
	const uint8_t *image;
	uint64_t size;
	unsigned n_links; /* connections of each */
	int epoll;        /* data.ptr is the link */
	void (*finished)(struct fleet_router *r);
} fleet;

_Noreturn void fleet_die(const char *what, const char *why);
uint64_t fleet_now_ms(void);

/* Also of one that has finished: once more from the start. */
void fleet_router_begin(struct fleet_router *r);
bool fleet_router_runs(const struct fleet_router *r);
void fleet_router_on_event(struct fleet_link *l, uint32_t events);
/* Now and then: makes again what brings nothing. */
void fleet_router_look(struct fleet_router *r);
