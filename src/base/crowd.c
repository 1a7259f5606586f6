/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/crowd.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define N_CHAINS 256

/* While a connection waits, how often we look whether another may go for it. */
#define LOOK_MS 50

/* The connections of one origin. It exists as long as the origin has any. */
struct crowd_party {
	struct crowd_origin origin;
	enum crowd_rank rank;
	uint32_t n_in;
	uint32_t n_waiting;
	uint32_t n_streams;
	struct crowd_party *next;
};

struct crowd_line {
	struct crowd_member *oldest;
	struct crowd_member *newest;
};

struct crowd {
	struct crowd_limits limits;
	uint32_t n_in[CROWD_N_RANKS];
	uint32_t n_waiting[CROWD_N_RANKS];
	struct crowd_line waiting;
	struct crowd_line idle;
	struct crowd_line busy;
	struct crowd_party *parties[N_CHAINS];
};

struct crowd *crowd_new(const struct crowd_limits *limits)
{
	struct crowd *c = calloc(1, sizeof(*c));

	assert(limits->reserve < limits->places);
	if (c)
		c->limits = *limits;
	return c;
}

void crowd_free(struct crowd *c)
{
	assert(!c || (!c->waiting.oldest && !c->idle.oldest && !c->busy.oldest));
	free(c);
}

static void line_append(struct crowd_line *line, struct crowd_member *m)
{
	m->newer = NULL;
	m->older = line->newest;
	*(m->older ? &m->older->newer : &line->oldest) = m;
	line->newest = m;
}

static void line_remove(struct crowd_line *line, struct crowd_member *m)
{
	*(m->older ? &m->older->newer : &line->oldest) = m->newer;
	*(m->newer ? &m->newer->older : &line->newest) = m->older;
	m->older = m->newer = NULL;
}

static struct crowd_party **chain_of(struct crowd *c, const struct crowd_origin *origin)
{
	uint64_t mixed = (origin->key[0] ^ origin->key[1]) * UINT64_C(0x9e3779b97f4a7c15);

	return &c->parties[mixed >> 56];
}

static struct crowd_party *find_party(struct crowd *c, const struct crowd_origin *origin,
				      enum crowd_rank rank)
{
	struct crowd_party **chain = chain_of(c, origin);
	struct crowd_party *party = *chain;

	while (party &&
	       (memcmp(&party->origin, origin, sizeof(*origin)) != 0 || party->rank != rank))
		party = party->next;
	if (party)
		return party;
	party = calloc(1, sizeof(*party));
	if (!party)
		return NULL;
	party->origin = *origin;
	party->rank = rank;
	party->next = *chain;
	*chain = party;
	return party;
}

static void free_if_empty(struct crowd *c, struct crowd_party *party)
{
	struct crowd_party **at = chain_of(c, &party->origin);

	if (party->n_in + party->n_waiting > 0)
		return;
	while (*at != party)
		at = &(*at)->next;
	*at = party->next;
	free(party);
}

static bool may_wait(const struct crowd *c, const struct crowd_party *party)
{
	const uint32_t others = c->n_waiting[CROWD_STRANGER] + c->n_waiting[CROWD_GUEST];

	return party->n_waiting < c->limits.waiting[party->rank] &&
	       (party->rank == CROWD_TRUSTED || others < c->limits.waiting_others);
}

static void stop_waiting(struct crowd *c, struct crowd_member *m)
{
	line_remove(&c->waiting, m);
	m->party->n_waiting--;
	c->n_waiting[m->party->rank]--;
}

static void forget_stream(struct crowd_member *m)
{
	m->party->n_streams -= m->streams;
	m->streams = false;
}

void crowd_leave(struct crowd *c, struct crowd_member *m)
{
	struct crowd_party *party = m->party;

	if (m->state == CROWD_ABSENT)
		return;
	if (m->state == CROWD_WAITING) {
		stop_waiting(c, m);
	} else {
		line_remove(m->state == CROWD_IDLE ? &c->idle : &c->busy, m);
		forget_stream(m);
		party->n_in--;
		c->n_in[party->rank]--;
	}
	m->state = CROWD_ABSENT;
	m->party = NULL;
	free_if_empty(c, party);
}

void crowd_busy(struct crowd *c, struct crowd_member *m)
{
	if (m->state != CROWD_IDLE)
		return;
	line_remove(&c->idle, m);
	line_append(&c->busy, m);
	m->state = CROWD_BUSY;
}

void crowd_idle(struct crowd *c, struct crowd_member *m, uint64_t now_ms)
{
	if (m->state != CROWD_IDLE && m->state != CROWD_BUSY)
		return;
	line_remove(m->state == CROWD_IDLE ? &c->idle : &c->busy, m);
	forget_stream(m);
	m->state = CROWD_IDLE;
	m->since_ms = now_ms;
	line_append(&c->idle, m);
}

bool crowd_stream(struct crowd *c, struct crowd_member *m)
{
	if (m->state != CROWD_BUSY || m->party->n_streams >= c->limits.streams)
		return false;
	m->party->n_streams++;
	m->streams = true;
	return true;
}

/* Is there a place that this rank may have, apart from what each origin may have? */
static bool rank_has_room(const struct crowd *c, enum crowd_rank rank)
{
	const uint32_t others = c->n_in[CROWD_STRANGER] + c->n_in[CROWD_GUEST];

	if (others + c->n_in[CROWD_TRUSTED] >= c->limits.places)
		return false;
	if (rank == CROWD_STRANGER && c->n_in[CROWD_STRANGER] >= c->limits.strangers)
		return false;
	return rank == CROWD_TRUSTED || others < c->limits.places - c->limits.reserve;
}

static bool may_go(const struct crowd *c, const struct crowd_member *m, uint64_t now_ms)
{
	return now_ms - m->since_ms >= c->limits.grace_ms;
}

static struct crowd_member *find_own_idle(const struct crowd *c, const struct crowd_party *party,
					  uint64_t now_ms)
{
	struct crowd_member *m = c->idle.oldest;

	while (m && may_go(c, m, now_ms) && m->party != party)
		m = m->newer;
	return m && may_go(c, m, now_ms) ? m : NULL;
}

/* Looks for the largest party among ours, those of a lower rank, and those of our rank that are
 * larger than ours; returns its member that has been idle longest. ours may be NULL. */
static struct crowd_member *find_idle(const struct crowd *c, const struct crowd_party *ours,
				      enum crowd_rank rank, uint64_t now_ms)
{
	const uint32_t n_ours = ours ? ours->n_in : 0;
	struct crowd_member *found = NULL;

	for (struct crowd_member *m = c->idle.oldest; m && may_go(c, m, now_ms); m = m->newer) {
		const struct crowd_party *party = m->party;

		if (party->rank > rank ||
		    (party->rank == rank && party != ours && party->n_in <= n_ours))
			continue;
		if (!found || party->n_in > found->party->n_in)
			found = m;
	}
	return found;
}

static void enter(struct crowd *c, struct crowd_member *m, uint64_t now_ms)
{
	stop_waiting(c, m);
	m->party->n_in++;
	c->n_in[m->party->rank]++;
	m->state = CROWD_IDLE;
	m->since_ms = now_ms;
	line_append(&c->idle, m);
}

/* Is there a place for one more connection of this party, at once or in place of *ret_goes? */
static bool has_place(const struct crowd *c, const struct crowd_party *party, uint64_t now_ms,
		      struct crowd_member **ret_goes)
{
	const bool part_full = party->n_in >= c->limits.each[party->rank];

	*ret_goes = NULL;
	if (!part_full && rank_has_room(c, party->rank))
		return true;
	*ret_goes = part_full ? find_own_idle(c, party, now_ms)
			      : find_idle(c, party, party->rank, now_ms);
	return *ret_goes != NULL;
}

bool crowd_arrive(struct crowd *c, struct crowd_member *m, struct crowd_origin origin,
		  enum crowd_rank rank, uint64_t now_ms)
{
	struct crowd_party *party = find_party(c, &origin, rank);
	struct crowd_member *goes;

	if (!party)
		return false;
	if (!may_wait(c, party) && !has_place(c, party, now_ms, &goes)) {
		free_if_empty(c, party);
		return false;
	}
	party->n_waiting++;
	c->n_waiting[rank]++;
	*m = (struct crowd_member){.state = CROWD_WAITING, .since_ms = now_ms, .party = party};
	line_append(&c->waiting, m);
	return true;
}

bool crowd_next(struct crowd *c, uint64_t now_ms, struct crowd_change *ret)
{
	struct crowd_member *first = c->idle.oldest;

	*ret = (struct crowd_change){0};
	if (first && now_ms - first->since_ms >= c->limits.idle_ms) {
		crowd_leave(c, first);
		ret->goes = first;
		return true;
	}
	for (struct crowd_member *m = c->waiting.oldest; m; m = m->newer) {
		if (has_place(c, m->party, now_ms, &ret->goes)) {
			if (ret->goes)
				crowd_leave(c, ret->goes);
			enter(c, m, now_ms);
			ret->enters = m;
			return true;
		}
		if (!c->limits.all_wait && now_ms - m->since_ms >= c->limits.patience_ms) {
			crowd_leave(c, m);
			ret->goes = m;
			return true;
		}
	}
	return false;
}

uint64_t crowd_due_ms(const struct crowd *c, uint64_t now_ms)
{
	if (c->waiting.oldest)
		return LOOK_MS;
	if (!c->idle.oldest)
		return UINT64_MAX;
	return c->idle.oldest->since_ms + c->limits.idle_ms -
	       MIN(now_ms, c->idle.oldest->since_ms + c->limits.idle_ms);
}

/* Any connection of the largest party of a lower rank, also a busy one. */
static struct crowd_member *find_lower(const struct crowd *c, enum crowd_rank rank)
{
	struct crowd_member *const lines[] = {c->idle.oldest, c->busy.oldest};
	struct crowd_member *found = NULL;

	for (unsigned i = 0; i < N_ELEMENTS(lines); i++)
		for (struct crowd_member *m = lines[i]; m; m = m->newer)
			if (m->party->rank < rank &&
			    (!found || m->party->n_in > found->party->n_in))
				found = m;
	return found;
}

struct crowd_member *crowd_make_room(struct crowd *c, enum crowd_rank rank, uint64_t now_ms)
{
	struct crowd_member *m = find_idle(c, NULL, rank, now_ms);

	if (!m)
		m = find_lower(c, rank);
	if (m)
		crowd_leave(c, m);
	return m;
}

bool crowd_has_room(const struct crowd *c)
{
	const struct crowd_member *m = c->waiting.oldest;

	return !m || !c->limits.all_wait || may_wait(c, m->party);
}

struct crowd_member *crowd_first_waiting(const struct crowd *c)
{
	return c->waiting.oldest;
}

enum crowd_rank crowd_member_rank(const struct crowd_member *m)
{
	return m->party->rank;
}
