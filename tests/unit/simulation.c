/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simulation_private.h"

#include "base/macros.h"
#include "download/image/piece_map.h"

#define DISK_MS 3 /* how long a job on the disk takes */

const struct sim_source sim_good = {
	.answer = ANSWER_HAS_VERSION, .answer_ms = 50, .bytes_per_ms = 64};
const struct sim_source sim_dead = {.answer = ANSWER_FAILED, .answer_ms = 50};
const struct sim_source sim_failing = {
	.answer = ANSWER_HAS_VERSION, .answer_ms = 50, .fails = 100, .bytes_per_ms = 64};

struct engine_limits sim_limits(void)
{
	return (struct engine_limits){
		.timeout_ms = 10800000,
		.attempts = 10,
		.initial_retry_delay_ms = 30000,
		.maximum_retry_delay_ms = 3600000,
		.concurrency = 4,
		.window = 10,
		.order = PICK_ASCENDING,
	};
}

unsigned sim_percent(struct sim *sim)
{
	return (unsigned)(test_random(&sim->random) % 100);
}

bool sim_is_verified(const struct sim *sim, uint32_t piece)
{
	return piece_bits_has(sim->verified, piece);
}

void sim_schedule(struct sim *sim, uint64_t delay_ms, const struct engine_event *event,
		  const char *reason, uint64_t id)
{
	struct sim_event *e = &sim->events[sim->n_events++];

	assert_true(sim->n_events < SIM_EVENTS_MAX);
	*e = (struct sim_event){
		.at_ms = sim->now_ms + delay_ms,
		.order = ++sim->n_scheduled,
		.event = *event,
		.id = id,
	};
	(void)snprintf(e->reason, sizeof(e->reason), "%s", reason);
}

static void disk_job(struct sim *sim, enum engine_event_type type)
{
	sim_schedule(sim, DISK_MS, &(struct engine_event){.type = type}, "", 0);
}

/* Which sources have only some of the pieces is known as soon as they are asked. */
static void set_pieces(struct sim *sim)
{
	for (unsigned i = 0; i < sim->n_sources; i++)
		sim->engine.sources[i].pieces = sim->has_some[i] ? sim->pieces[i] : NULL;
}

static void discover(struct sim *sim)
{
	assert_true(sim->engine.attempt == 1 || sim->engine.attempt == sim->recorded_attempt);
	sim->n_discoveries++;
	set_pieces(sim);
	for (unsigned i = 0; i < sim->n_sources; i++) {
		const struct sim_source *s = &sim->sources[i];
		struct engine_event answer = {
			.type = EVENT_ANSWER, .answer.source = i, .answer.what = s->answer};

		if (sim->engine.sources[i].state == SOURCE_ASKED)
			sim_schedule(sim, s->answer_ms, &answer, "as the test said", 0);
	}
}

void sim_forget_events(struct sim *sim, enum engine_event_type type, uint64_t id)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < sim->n_events; i++)
		if (sim->events[i].event.type != type || sim->events[i].id != id)
			sim->events[kept++] = sim->events[i];
	sim->n_events = kept;
}

static void note_state(struct sim *sim, enum engine_state state)
{
	const struct engine *e = &sim->engine;

	if (sim->n_states < N_ELEMENTS(sim->states))
		sim->states[sim->n_states++] = state;
	if (state == ENGINE_WAITING_RETRY && sim->n_retries < N_ELEMENTS(sim->retry_at_ms)) {
		sim->retry_at_ms[sim->n_retries] = sim->now_ms;
		sim->retry_delay_ms[sim->n_retries++] = e->retry_at_ms - sim->now_ms;
	}
}

static void check_complete(const struct sim *sim)
{
	for (uint64_t at = 0; at < sim->manifest.size; at += SIM_UNIT)
		assert_int_equal(sim->units[at / SIM_UNIT], 1);
}

/* Reads the image back, and finds what somebody did to its second piece. */
static void finish(struct sim *sim)
{
	if (sim->damages == 0) {
		check_complete(sim);
		disk_job(sim, EVENT_FINISHED);
		return;
	}
	sim->damages--;
	memset(sim->units + SIM_PIECE_SIZE / SIM_UNIT, 0, SIM_PIECE_SIZE / SIM_UNIT);
	sim->verified[0] &= (uint8_t)~0x40u;
	sim_schedule(sim, DISK_MS, &(struct engine_event){.type = EVENT_DAMAGED},
		     "changed after it was written", 0);
}

static void perform(struct sim *sim, const struct engine_action *action)
{
	switch (action->type) {
	case ACTION_STATE:
		note_state(sim, action->state);
		sim_schedule(sim, DISK_MS,
			     &(struct engine_event){.type = EVENT_RECORDED,
						    .recorded.attempt = sim->engine.attempt},
			     "", 0);
		return;
	case ACTION_OPEN:
		disk_job(sim, EVENT_OPENED);
		return;
	case ACTION_CHECK:
		disk_job(sim, EVENT_CHECKED);
		return;
	case ACTION_DISCOVER:
		discover(sim);
		return;
	case ACTION_STOP_DISCOVERY:
		sim_forget_events(sim, EVENT_ANSWER, 0);
		return;
	case ACTION_PREPARE:
		disk_job(sim, EVENT_PREPARED);
		return;
	case ACTION_REQUEST:
		sim_begin_request(sim, action);
		return;
	case ACTION_ACCEPT_WHOLE:
		sim_accept_whole(sim, action->slot);
		return;
	case ACTION_CANCEL_REQUEST:
		sim_cancel_request(sim, action->slot);
		return;
	case ACTION_PAST_CACHES:
		sim->n_past_caches++;
		return;
	case ACTION_MISMATCH:
		sim->n_mismatches++;
		return;
	case ACTION_FINISH:
		finish(sim);
		return;
	case ACTION_PEER_NOT_AWAITED:
		sim->n_not_awaited++;
		return;
	case ACTION_SOURCE_LEFT:
		(void)snprintf(sim->left, sizeof(sim->left), "%s", action->reason);
		return;
	}
}

static void check_always(const struct sim *sim)
{
	const struct engine *e = &sim->engine;
	unsigned used = 0;
	unsigned owed = sim->n_events;

	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		used += e->slots[i].used;
		owed += sim->ending[i];
	}
	owed += e->n_filling > 0 || e->picker.promised; /* whoever fills does so */
	assert_int_equal(used, e->in_flight);
	assert_true(e->picker.bytes_twice <= sim->manifest.size / PICKER_TWICE_PART);
	assert_true(owed > 0 || engine_state_is_ended(e->state) || e->state == ENGINE_PAUSED ||
		    e->state == ENGINE_QUEUED || e->state == ENGINE_WAITING_PEER ||
		    (e->active != SOURCE_NOBODY && e->sources[e->active].fetches) ||
		    engine_next_wake(e) != ENGINE_NEVER);
}

void sim_step(struct sim *sim, const struct engine_event *event)
{
	struct engine_actions actions;

	engine_step(&sim->engine, event, sim->now_ms, &actions);
	for (unsigned i = 0; i < actions.n; i++)
		perform(sim, &actions.items[i]);
	/* As download.c does: nobody was asked yet in the step that said so. */
	for (unsigned i = 0; i < actions.n; i++) {
		if (actions.items[i].type == ACTION_DISCOVER) {
			sim_step(sim, &(struct engine_event){.type = EVENT_TICK});
			return;
		}
	}
	check_always(sim);
	sim_follow_fill(sim);
}

void sim_init(struct sim *sim, const struct engine_limits *limits, unsigned n_pieces, uint64_t seed)
{
	memset(sim, 0, sizeof(*sim));
	assert_true(n_pieces <= SIM_PIECES_MAX);
	sim->random = seed ? seed : 1;
	sim->now_ms = 1000000;
	sim->manifest.piece_size = SIM_PIECE_SIZE;
	sim->manifest.n_pieces = n_pieces;
	/* The last piece is short. */
	sim->manifest.size = (uint64_t)n_pieces * SIM_PIECE_SIZE - 7 * SIM_UNIT;
	sim->manifest.digest[0] = 7;
	engine_init(&sim->engine, limits, seed, sim->now_ms);
}

void sim_add_source(struct sim *sim, const struct sim_source *source, enum source_kind kind)
{
	struct engine_source_spec specs[SOURCES_MAX];
	char names[SOURCES_MAX][8];

	sim->kinds[sim->n_sources] = kind;
	sim->sources[sim->n_sources++] = *source;
	for (unsigned i = 0; i < sim->n_sources; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%u", i);
		specs[i] = (struct engine_source_spec){.name = names[i], .kind = sim->kinds[i]};
	}
	engine_set_sources(&sim->engine, specs, sim->n_sources);
}

void sim_set_pieces(struct sim *sim, unsigned source, const uint8_t *some)
{
	memcpy(sim->pieces[source], some, sizeof(sim->pieces[source]));
	sim->has_some[source] = true;
	set_pieces(sim);
}

void sim_release(struct sim *sim)
{
	engine_release(&sim->engine);
}

struct sim *sim_new(const struct engine_limits *limits, unsigned n_pieces)
{
	struct sim *sim = malloc(sizeof(*sim));

	assert_non_null(sim);
	sim_init(sim, limits, n_pieces, 4711);
	return sim;
}

void sim_free(struct sim *sim)
{
	sim_release(sim);
	free(sim);
}

struct sim *sim_with(const struct sim_source *a, const struct sim_source *b)
{
	struct engine_limits limits = sim_limits();
	struct sim *sim = sim_new(&limits, 64);

	sim_add_source(sim, a, SOURCE_ARTIFACTORY);
	if (b)
		sim_add_source(sim, b, SOURCE_ARTIFACTORY);
	sim_tell(sim, EVENT_RUN);
	return sim;
}

void sim_tell(struct sim *sim, enum engine_event_type type)
{
	sim->disk_failed |= type == EVENT_LOCAL_ERROR;
	sim_step(sim, &(struct engine_event){.type = type, .reason = "as the test said"});
}

void sim_happens(struct sim *sim, const struct engine_event *event)
{
	sim_step(sim, event);
}

void sim_tell_pieces(struct sim *sim, unsigned source, enum engine_pieces what)
{
	sim_happens(sim, &(struct engine_event){
				 .type = EVENT_PIECES_CHANGED,
				 .pieces.source = source,
				 .pieces.what = what,
				 .pieces.bits = sim->has_some[source] ? sim->pieces[source] : NULL,
				 .reason = "why"});
}

void sim_give_pieces(struct sim *sim, unsigned source, uint32_t first, uint32_t end)
{
	uint8_t some[SIM_PIECES_MAX / 8] = {0};

	for (uint32_t piece = first; piece < end; piece++)
		piece_bits_set(some, piece);
	sim_set_pieces(sim, source, some);
	sim_tell_pieces(sim, source, PIECES_KNOWN);
}

static void lose_some(struct sim *sim)
{
	for (uint32_t piece = 0; piece < sim->manifest.n_pieces; piece++) {
		if (!sim_is_verified(sim, piece) || sim_percent(sim) >= 10)
			continue;
		sim->verified[piece / 8] =
			(uint8_t)(sim->verified[piece / 8] & ~(0x80 >> piece % 8));
		memset(sim->units + piece * (SIM_PIECE_SIZE / SIM_UNIT), 2,
		       SIM_PIECE_SIZE / SIM_UNIT);
	}
}

static void set_image(struct sim *sim)
{
	const struct engine_image image = {
		.size = sim->manifest.size,
		.piece_size = sim->manifest.piece_size,
		.digest = sim->manifest.digest,
	};

	assert_int_equal(engine_set_image(&sim->engine, &image, sim->verified), 0);
}

static void open_disk(struct sim *sim, const struct engine_event *event)
{
	if (sim->engine.in_flight > 0 || sim->filling) {
		disk_job(sim, EVENT_OPENED);
		return;
	}
	if (sim->engine.has_image) {
		if (sim->disk_failed)
			lose_some(sim);
		set_image(sim);
	}
	sim->disk_failed = false;
	sim_step(sim, event);
}

static void deliver(struct sim *sim, struct sim_event *happening)
{
	struct engine_event *event = &happening->event;
	uint8_t other[DIGEST_SIZE] = {9};

	event->reason = happening->reason;
	switch (event->type) {
	case EVENT_REQUEST_ENDED:
		sim_end_request(sim, event);
		return;
	case EVENT_FILLED:
		sim_end_fill(sim, event);
		return;
	case EVENT_ANSWER:
		event->answer.digest = sim->sources[event->answer.source].other_image
					       ? other
					       : sim->manifest.digest;
		if (sim->sources[event->answer.source].fetches)
			event->answer.pieces = sim->pieces[event->answer.source];
		sim_step(sim, event);
		return;
	case EVENT_OPENED:
		open_disk(sim, event);
		return;
	case EVENT_RECORDED:
		sim->recorded_attempt = event->recorded.attempt;
		sim_step(sim, event);
		return;
	case EVENT_PREPARED:
		if (sim->filling) {
			disk_job(sim, EVENT_PREPARED);
			return;
		}
		set_image(sim);
		sim_step(sim, event);
		return;
	default:
		sim_step(sim, event);
		return;
	}
}

static unsigned earliest(const struct sim *sim)
{
	unsigned best = 0;

	for (unsigned i = 1; i < sim->n_events; i++)
		if (sim->events[i].at_ms < sim->events[best].at_ms ||
		    (sim->events[i].at_ms == sim->events[best].at_ms &&
		     sim->events[i].order < sim->events[best].order))
			best = i;
	return best;
}

bool sim_next(struct sim *sim, uint64_t until_ms)
{
	uint64_t wake = engine_next_wake(&sim->engine);
	unsigned next = sim->n_events ? earliest(sim) : 0;
	struct sim_event happening;

	if (sim->n_events > 0 && sim->events[next].at_ms <= MIN(wake, until_ms)) {
		happening = sim->events[next];
		sim->events[next] = sim->events[--sim->n_events];
		sim->now_ms = MAX(sim->now_ms, happening.at_ms);
		deliver(sim, &happening);
		return true;
	}
	if (wake > until_ms) {
		sim->now_ms = MAX(sim->now_ms, until_ms == UINT64_MAX ? 0 : until_ms);
		return false;
	}
	sim->now_ms = MAX(sim->now_ms, wake);
	sim_step(sim, &(struct engine_event){.type = EVENT_TICK});
	return true;
}

enum engine_state sim_run(struct sim *sim, uint64_t until_ms)
{
	while (!engine_state_is_ended(sim->engine.state) && sim->engine.state != ENGINE_PAUSED &&
	       sim_next(sim, until_ms))
		;
	return sim->engine.state;
}

void sim_restart_daemon(struct sim *sim)
{
	struct engine old = sim->engine;
	struct engine_source_spec specs[SOURCES_MAX];

	engine_init(&sim->engine, &old.limits, old.seed, sim->now_ms);
	engine_restore(&sim->engine, old.state, MAX(sim->recorded_attempt, 1), old.used_ms,
		       old.bytes_fetched, old.error);
	for (unsigned i = 0; i < sim->n_sources; i++) {
		engine_restore_source(&sim->engine, &old.sources[i]);
		specs[i] = (struct engine_source_spec){.name = old.sources[i].name,
						       .kind = old.sources[i].kind};
	}
	engine_set_sources(&sim->engine, specs, sim->n_sources);
	set_pieces(sim);
	sim->n_events = 0;
	sim->filling = false;
	sim->fill_begun = false;
	memset(sim->request_ids, 0, sizeof(sim->request_ids));
	/* Beginnings of pieces are forgotten, their bytes may be anything. */
	for (uint32_t piece = 0; piece < sim->manifest.n_pieces; piece++)
		if (!sim_is_verified(sim, piece))
			memset(sim->units + piece * (SIM_PIECE_SIZE / SIM_UNIT), 2,
			       SIM_PIECE_SIZE / SIM_UNIT);
	if (old.has_image)
		set_image(sim);
	engine_release(&old);
	if (sim->engine.state == ENGINE_QUEUED)
		sim_tell(sim, EVENT_RUN);
}
