/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/turns.h"

#include <assert.h>
#include <stdlib.h>

#include "base/macros.h"
#include "conductor/enrolment/pace.h"
#include "conductor/enrolment/turn_list.h"

#define PLACE_BITS 18 /* TURNS_ALL_MAX; the rest is the number of use */
#define USE_MAX    ((1u << (32 - PLACE_BITS)) - 1)

#define KNOWN_IN_A_ROW 3

/* Each step of a handshake that a peer sends has at least so many bytes. A peer that only drips
 * bytes sends fewer at a time. */
#define STEP_BYTES 256

/* A turn that ends only after so long was ended by a time limit, and not by the peer. */
#define OUT_OF_TIME_MS 5000

/* For each core, how many turns may be at their beginning at the same time, where the work is
 * ours; and how many may be under way, at first and at the least. */
#define AT_WORK_A_CORE 2
#define FIRST_A_CORE   8
#define LEAST_A_CORE   2

/* Any peer may wait behind so few others, whatever the measured pace is. */
#define ALWAYS_WAIT 32

struct place {
	struct turn_list *in; /* NULL = free */
	uint32_t use;
	enum turns_class class;
	bool at_work;
	uint64_t since_ms; /* it waits; or, with its turn, made its last progress */
	uint64_t begun_ms;
	bool begins;            /* we have said nothing yet, and not for long */
	bool has_answered;      /* with more than a word */
	uint32_t round_trip_ms; /* when it was last seen */
	uint64_t sent;          /* then */
	uint64_t received;
};

struct turns {
	struct turns_options options;
	struct place *places;
	struct turn_link *links; /* of each place */
	struct turn_list free;
	struct turn_list waiting[TURNS_N_CLASSES]; /* longest first */
	struct turn_list begun[TURNS_N_CLASSES];   /* longest without progress first */
	uint32_t at_work[TURNS_N_CLASSES];
	unsigned known_in_a_row;
	struct pace pace[TURNS_N_CLASSES]; /* strangers cannot slow the known down */
};

static void append(struct turns *t, struct turn_list *list, uint32_t at)
{
	t->places[at].in = list == &t->free ? NULL : list;
	turn_list_append(list, t->links, at);
}

struct turns *turns_new(const struct turns_options *options)
{
	struct turns *t = calloc(1, sizeof(*t));
	uint32_t n = options->places + options->waiting;

	assert(options->places > 0 && options->waiting > 0 && n <= TURNS_ALL_MAX);
	if (!t)
		return NULL;
	t->places = calloc(n, sizeof(*t->places));
	t->links = calloc(n, sizeof(*t->links));
	if (!t->places || !t->links) {
		turns_free(t);
		return NULL;
	}
	t->options = *options;
	t->free = (struct turn_list)TURN_LIST_EMPTY;
	for (unsigned i = 0; i < TURNS_N_CLASSES; i++) {
		t->waiting[i] = t->begun[i] = t->free;
		pace_init(&t->pace[i], MAX(1, LEAST_A_CORE * options->cores),
			  options->cores ? FIRST_A_CORE * options->cores : options->places,
			  options->places, options->pace_per_s);
	}
	for (uint32_t i = 0; i < n; i++)
		append(t, &t->free, i);
	return t;
}

void turns_free(struct turns *t)
{
	if (t) {
		free(t->places);
		free(t->links);
	}
	free(t);
}

static turns_ticket ticket_of(const struct turns *t, uint32_t at)
{
	return t->places[at].use << PLACE_BITS | at;
}

uint32_t turns_place(turns_ticket ticket)
{
	return ticket & (TURNS_ALL_MAX - 1);
}

/* Returns NULL if the ticket is not valid any more. */
static struct place *find(const struct turns *t, turns_ticket ticket)
{
	uint32_t at = turns_place(ticket);

	if (at >= t->options.places + t->options.waiting || !t->places[at].in ||
	    ticket_of(t, at) != ticket)
		return NULL;
	return &t->places[at];
}

uint32_t turns_waiting(const struct turns *t)
{
	return t->waiting[TURNS_KNOWN].n + t->waiting[TURNS_STRANGER].n;
}

uint32_t turns_begun(const struct turns *t)
{
	return t->begun[TURNS_KNOWN].n + t->begun[TURNS_STRANGER].n;
}

static bool is_begun(const struct turns *t, const struct place *p)
{
	return p->in == &t->begun[p->class];
}

bool turns_has_begun(const struct turns *t, turns_ticket ticket)
{
	const struct place *p = find(t, ticket);

	return p && is_begun(t, p);
}

static void measure_pace(struct turns *t, uint64_t now_ms)
{
	for (unsigned i = 0; i < TURNS_N_CLASSES; i++)
		pace_measure(&t->pace[i], turns_waiting(t) > 0, now_ms);
}

static bool can_hope(const struct turns *t, enum turns_class class)
{
	uint32_t before = t->waiting[TURNS_KNOWN].n;

	if (class == TURNS_STRANGER)
		before += t->waiting[TURNS_STRANGER].n;
	return before < ALWAYS_WAIT ||
	       before * UINT64_C(1000) <= t->pace[class].per_s * (uint64_t)TURNS_HOPE_MS;
}

turns_ticket turns_wait(struct turns *t, enum turns_class class, uint64_t now_ms,
			turns_ticket *ret_shown_out)
{
	uint32_t newest = t->waiting[TURNS_STRANGER].last;
	struct place *p;
	uint32_t at;

	*ret_shown_out = 0;
	measure_pace(t, now_ms);
	if (!can_hope(t, class))
		return 0;
	if (turns_waiting(t) >= t->options.waiting) {
		if (class != TURNS_KNOWN || newest == TURN_NOWHERE)
			return 0;
		*ret_shown_out = ticket_of(t, newest);
		turns_leave(t, *ret_shown_out);
	}
	at = t->free.first;
	p = &t->places[at];
	turn_list_take_out(&t->free, t->links, at);
	p->use = p->use == USE_MAX ? 1 : p->use + 1; /* never 0 */
	p->class = class;
	p->since_ms = now_ms;
	append(t, &t->waiting[class], at);
	return ticket_of(t, at);
}

static void set_at_work(struct turns *t, struct place *p, bool at_work)
{
	if (p->at_work != at_work)
		t->at_work[p->class] += at_work ? 1 : UINT32_MAX;
	p->at_work = at_work;
}

void turns_leave(struct turns *t, turns_ticket ticket)
{
	struct place *p = find(t, ticket);

	if (!p)
		return;
	set_at_work(t, p, false);
	turn_list_take_out(p->in, t->links, turns_place(ticket));
	append(t, &t->free, turns_place(ticket));
}

void turns_through(struct turns *t, turns_ticket ticket, uint64_t now_ms)
{
	const struct place *p = find(t, ticket);

	if (!p || !is_begun(t, p))
		return;
	pace_through(&t->pace[p->class], now_ms - p->begun_ms, p->round_trip_ms);
	turns_leave(t, ticket);
}

void turns_over(struct turns *t, turns_ticket ticket, uint64_t now_ms)
{
	const struct place *p = find(t, ticket);

	if (p && is_begun(t, p) && p->has_answered && now_ms - p->begun_ms >= OUT_OF_TIME_MS)
		pace_failed(&t->pace[p->class], now_ms - p->begun_ms);
	turns_leave(t, ticket);
}

static bool has_stalled(const struct turns *t, const struct place *p, uint64_t now_ms)
{
	return !p->at_work && now_ms - p->since_ms >= pace_stalled_ms(&t->pace[p->class]);
}

static uint32_t under_way(const struct turns *t, enum turns_class class, uint64_t now_ms)
{
	uint32_t n = t->begun[class].n;
	const struct place *p;

	for (uint32_t at = t->begun[class].first; at != TURN_NOWHERE; at = t->links[at].after) {
		p = &t->places[at];
		if (now_ms - p->since_ms < pace_stalled_ms(&t->pace[p->class]))
			break;
		n -= has_stalled(t, p, now_ms);
	}
	return n;
}

/* Are so few turns under way that one more does not slow down the others? Strangers leave most of
 * the room to known routers. */
static bool is_below(const struct turns *t, enum turns_class class,
		     const uint32_t n[TURNS_N_CLASSES], uint32_t most)
{
	if (class == TURNS_KNOWN)
		return n[TURNS_KNOWN] < most;
	if (t->waiting[TURNS_KNOWN].n > 0)
		return n[TURNS_STRANGER] < MAX(1, most / 4);
	return n[TURNS_KNOWN] + n[TURNS_STRANGER] < most;
}

static bool may_begin(const struct turns *t, enum turns_class class, uint64_t now_ms)
{
	const uint32_t now[TURNS_N_CLASSES] = {
		[TURNS_KNOWN] = under_way(t, TURNS_KNOWN, now_ms),
		[TURNS_STRANGER] = under_way(t, TURNS_STRANGER, now_ms),
	};

	if (t->options.cores == 0)
		return true;
	return is_below(t, class, t->at_work, AT_WORK_A_CORE * t->options.cores) &&
	       is_below(t, class, now, t->pace[class].at_once);
}

static bool has_place(const struct turns *t, enum turns_class class)
{
	uint32_t of_strangers = t->options.places - t->options.places / 4;

	return turns_begun(t) < t->options.places &&
	       (class == TURNS_KNOWN || t->begun[TURNS_STRANGER].n < of_strangers);
}

static turns_ticket stalled_in(const struct turns *t, enum turns_class class, uint64_t now_ms)
{
	const struct place *p;

	for (uint32_t at = t->begun[class].first; at != TURN_NOWHERE; at = t->links[at].after) {
		p = &t->places[at];
		if (has_stalled(t, p, now_ms))
			return ticket_of(t, at);
		if (!p->at_work)
			break;
	}
	return 0;
}

/* Returns the stalled peer whose place a peer of this class may have. */
static turns_ticket stalled_for(const struct turns *t, enum turns_class class, uint64_t now_ms)
{
	turns_ticket ticket = stalled_in(t, TURNS_STRANGER, now_ms);

	return ticket || class == TURNS_STRANGER ? ticket : stalled_in(t, TURNS_KNOWN, now_ms);
}

static turns_ticket begin_turn(struct turns *t, enum turns_class class, uint64_t now_ms)
{
	uint32_t at = t->waiting[class].first;
	struct place *p = &t->places[at];

	turn_list_take_out(p->in, t->links, at);
	append(t, &t->begun[class], at);
	p->since_ms = p->begun_ms = now_ms;
	p->sent = p->received = 0;
	p->begins = t->options.we_speak_first;
	p->has_answered = false;
	p->round_trip_ms = 0;
	set_at_work(t, p, t->options.we_speak_first);
	t->known_in_a_row = class == TURNS_KNOWN ? t->known_in_a_row + 1 : 0;
	for (unsigned i = 0; i < TURNS_N_CLASSES; i++)
		pace_count(&t->pace[i]);
	return ticket_of(t, at);
}

bool turns_next(struct turns *t, uint64_t now_ms, struct turns_move *ret)
{
	enum turns_class first = t->known_in_a_row < KNOWN_IN_A_ROW ? TURNS_KNOWN : TURNS_STRANGER;

	*ret = (struct turns_move){0};
	measure_pace(t, now_ms);
	for (unsigned i = 0; i < TURNS_N_CLASSES; i++) {
		enum turns_class class = i == 0                 ? first
					 : first == TURNS_KNOWN ? TURNS_STRANGER
								: TURNS_KNOWN;

		if (t->waiting[class].n == 0 || !may_begin(t, class, now_ms))
			continue;
		if (has_place(t, class))
			ret->begins = begin_turn(t, class, now_ms);
		else
			ret->shown_out = stalled_for(t, class, now_ms);
		if (ret->begins || ret->shown_out)
			return true;
	}
	return false;
}

static void make_progress(struct turns *t, struct place *p, uint64_t now_ms)
{
	uint32_t at = (uint32_t)(p - t->places);
	struct turn_list *list = p->in;

	p->since_ms = now_ms;
	turn_list_take_out(list, t->links, at);
	append(t, list, at);
}

void turns_progress(struct turns *t, turns_ticket ticket, uint64_t now_ms)
{
	struct place *p = find(t, ticket);

	if (p && is_begun(t, p))
		make_progress(t, p, now_ms);
}

static void measure_begin(struct turns *t, struct place *p, bool is_over, uint64_t now_ms)
{
	bool is_slow = now_ms - p->begun_ms >= PACE_BEGIN_MS;

	if (p->begins && !is_over && is_slow)
		pace_begins_slowly(&t->pace[p->class]);
	p->begins = p->begins && !is_over && !is_slow;
}

bool turns_observe(struct turns *t, turns_ticket ticket, const struct turns_sample *sample,
		   uint64_t now_ms)
{
	struct place *p = find(t, ticket);

	if (!p || !is_begun(t, p))
		return true;
	measure_begin(t, p, sample->sent > 0, now_ms);
	p->has_answered = sample->received >= STEP_BYTES;
	p->round_trip_ms = sample->round_trip_ms;
	set_at_work(t, p, sample->unread > 0 || (t->options.we_speak_first && sample->sent == 0));
	if (p->at_work || sample->sent > p->sent || sample->received >= p->received + STEP_BYTES) {
		p->sent = sample->sent;
		p->received = sample->received;
		make_progress(t, p, now_ms);
	}
	return sample->received <= TURNS_RECEIVED_MAX &&
	       (t->options.turn_ms == 0 || now_ms - p->begun_ms < t->options.turn_ms);
}

turns_ticket turns_overdue(const struct turns *t, uint64_t now_ms)
{
	for (unsigned i = 0; i < TURNS_N_CLASSES; i++) {
		uint32_t at = t->waiting[i].first;

		if (at != TURN_NOWHERE && now_ms - t->places[at].since_ms >= TURNS_WAIT_MS)
			return ticket_of(t, at);
	}
	return 0;
}
