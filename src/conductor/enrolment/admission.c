/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/admission.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/enrolment/peer_address.h"

/* Addresses are looked for in one set of the table. 8,192 in all: 256 KiB. */
#define WAYS   8
#define N_SETS 1024

#define NOWHERE UINT16_MAX

struct bucket {
	struct peer_address address;
	uint64_t refilled_ms; /* when tokens was last true */
	uint32_t tokens;      /* thousandths of a connection */
	bool used;
};

/* A place is in the line of those that wait, ordered by age, or in the list of free places, which
 * uses next alone. */
struct place {
	uint64_t since_ms;
	uint16_t older;
	uint16_t newer;
	uint16_t use;
	bool taken;
};

struct line {
	struct place *places;
	uint32_t n_places;
	uint32_t n_taken;
	uint16_t oldest;
	uint16_t newest;
	uint16_t free;
};

struct admission {
	struct admission_options options;
	struct line silent;
	struct bucket buckets[N_SETS][WAYS];
};

static bool line_init(struct line *line, uint32_t n_places)
{
	assert(n_places > 0 && n_places <= ADMISSION_PLACES_MAX);
	line->places = calloc(n_places, sizeof(*line->places));
	if (!line->places)
		return false;
	line->n_places = n_places;
	line->oldest = line->newest = NOWHERE;
	for (uint32_t i = 0; i < n_places; i++)
		line->places[i].newer = i + 1 < n_places ? (uint16_t)(i + 1) : NOWHERE;
	return true;
}

struct admission *admission_new(const struct admission_options *options)
{
	struct admission *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->options = *options;
	if (!line_init(&a->silent, options->silent_places)) {
		admission_free(a);
		return NULL;
	}
	return a;
}

void admission_free(struct admission *a)
{
	if (!a)
		return;
	free(a->silent.places);
	free(a);
}

static void refill(const struct admission *a, struct bucket *b, uint64_t now_ms)
{
	uint64_t full = (uint64_t)a->options.burst * 1000;
	uint64_t passed =
		MIN(now_ms - b->refilled_ms,
		    full); /* at one connection a second, the bucket is full after that time */

	b->tokens = (uint32_t)MIN(b->tokens + passed * a->options.rate_per_s, full);
	b->refilled_ms = now_ms;
}

/* Returns the peer's bucket, refilled. A new bucket replaces that of the address that was quiet
 * longest. */
static struct bucket *find_bucket(struct admission *a, const struct peer_address *address,
				  uint64_t now_ms)
{
	struct bucket *set = a->buckets[peer_address_hash(address, a->options.seed) % N_SETS];
	struct bucket *quietest = set;

	for (struct bucket *b = set; b < set + WAYS; b++) {
		if (b->used && peer_address_equals(&b->address, address)) {
			refill(a, b, now_ms);
			return b;
		}
		if (!b->used || (quietest->used && b->refilled_ms < quietest->refilled_ms))
			quietest = b;
	}
	*quietest = (struct bucket){
		.address = *address,
		.refilled_ms = now_ms,
		.tokens = a->options.burst * 1000,
		.used = true,
	};
	return quietest;
}

bool admission_admit(struct admission *a, const struct sockaddr *peer, uint64_t now_ms)
{
	struct peer_address address;
	struct bucket *b;

	if (a->options.rate_per_s == 0 || !peer_address_read(peer, &address))
		return true;
	b = find_bucket(a, &address, now_ms);
	if (b->tokens < 1000)
		return false;
	b->tokens -= 1000;
	return true;
}

static admission_ticket ticket_of(const struct line *line, uint16_t place)
{
	return (uint32_t)line->places[place].use << 16 | place;
}

static void take_out(struct line *line, uint16_t place)
{
	struct place *p = &line->places[place];

	if (p->older == NOWHERE)
		line->oldest = p->newer;
	else
		line->places[p->older].newer = p->newer;
	if (p->newer == NOWHERE)
		line->newest = p->older;
	else
		line->places[p->newer].older = p->older;
	p->taken = false;
	p->newer = line->free;
	line->free = place;
	line->n_taken--;
}

admission_ticket admission_enter(struct admission *a, uint64_t now_ms,
				 admission_ticket *ret_shown_out)
{
	struct line *line = &a->silent;
	struct place *p;
	uint16_t place;

	*ret_shown_out = 0;
	if (line->free == NOWHERE) {
		*ret_shown_out = ticket_of(line, line->oldest);
		take_out(line, line->oldest);
	}
	place = line->free;
	p = &line->places[place];
	line->free = p->newer;
	*p = (struct place){
		.since_ms = now_ms,
		.older = line->newest,
		.newer = NOWHERE,
		.use = p->use == UINT16_MAX ? 1 : (uint16_t)(p->use + 1), /* never 0 */
		.taken = true,
	};
	if (line->newest == NOWHERE)
		line->oldest = place;
	else
		line->places[line->newest].newer = place;
	line->newest = place;
	line->n_taken++;
	return ticket_of(line, place);
}

void admission_leave(struct admission *a, admission_ticket ticket)
{
	struct line *line = &a->silent;
	uint16_t place = (uint16_t)admission_place(ticket);

	if (place < line->n_places && line->places[place].taken && ticket_of(line, place) == ticket)
		take_out(line, place);
}

admission_ticket admission_oldest(const struct admission *a, uint64_t *ret_since_ms)
{
	const struct line *line = &a->silent;

	if (line->oldest == NOWHERE)
		return 0;
	*ret_since_ms = line->places[line->oldest].since_ms;
	return ticket_of(line, line->oldest);
}

uint32_t admission_count(const struct admission *a)
{
	return a->silent.n_taken;
}

uint32_t admission_place(admission_ticket ticket)
{
	return ticket & UINT16_MAX;
}
