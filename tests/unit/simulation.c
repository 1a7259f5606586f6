#include "simulation.h"

#include "core/macros.h"
#include "download/piece_map.h"

#define DISK_MS 3 /* how long a job on the disk takes */

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

static unsigned percent(struct sim *sim)
{
	return (unsigned)(test_random(&sim->random) % 100);
}

static bool is_verified(const struct sim *sim, uint32_t piece)
{
	return piece_map_bit(sim->verified, piece);
}

static void schedule(struct sim *sim, uint64_t delay_ms, const struct engine_event *event,
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
	schedule(sim, DISK_MS, &(struct engine_event){.type = type}, "", 0);
}

static void discover(struct sim *sim)
{
	sim->n_discoveries++;
	for (unsigned i = 0; i < sim->n_sources; i++) {
		const struct sim_source *s = &sim->sources[i];
		struct engine_event answer = {
			.type = ENGINE_ANSWER, .source = i, .answer = s->answer};

		if (sim->engine.sources[i].state == SOURCE_ASKED)
			schedule(sim, s->answer_ms, &answer, "as the test said", 0);
	}
}

static void forget_events(struct sim *sim, enum engine_event_type type, uint64_t id)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < sim->n_events; i++)
		if (sim->events[i].event.type != type || sim->events[i].id != id)
			sim->events[kept++] = sim->events[i];
	sim->n_events = kept;
}

static void check_request(const struct sim *sim, const struct engine_action *action)
{
	const struct byte_range *r = &action->range;
	uint32_t first = (uint32_t)(r->first / SIM_PIECE_SIZE);
	uint32_t last = (uint32_t)((r->end - 1) / SIM_PIECE_SIZE);

	assert_true(r->first < r->end && r->end <= sim->manifest.size);
	assert_true(sim->engine.in_flight <= sim->engine.limits.concurrency);
	assert_true(sim->request_ids[action->slot] == 0);
	for (uint32_t piece = first; piece <= last && !action->whole; piece++) {
		assert_false(is_verified(sim, piece));
		assert_true(!sim->has_some[action->source] ||
			    piece_map_bit(sim->pieces[action->source], piece));
	}
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		if (sim->request_ids[i] == 0 || !sim->engine.slots[i].used || i == action->slot)
			continue;
		/* Not even the same piece: who brought it could not be told. */
		assert_true((sim->ranges[i].end - 1) / SIM_PIECE_SIZE < first ||
			    sim->ranges[i].first / SIM_PIECE_SIZE > last);
	}
}

/* What becomes of a request: how it ends, and how much of it arrives. */
static enum request_outcome fate(struct sim *sim, const struct sim_source *s, uint64_t length,
				 uint64_t *ret_bytes)
{
	unsigned dice = percent(sim);
	uint64_t some = length / SIM_UNIT ? test_random(&sim->random) % (length / SIM_UNIT) : 0;

	*ret_bytes = 0;
	if (dice < s->fails)
		return REQUEST_FAILED;
	dice -= s->fails;
	if (dice < s->refuses)
		return REQUEST_REFUSED;
	dice -= s->refuses;
	if (dice < s->says_later)
		return REQUEST_RETRY_AFTER;
	dice -= s->says_later;
	*ret_bytes = some * SIM_UNIT;
	if (dice < s->stalls)
		return REQUEST_STALLED;
	dice -= s->stalls;
	if (dice < s->cuts)
		return REQUEST_CUT;
	*ret_bytes = length;
	return REQUEST_OK;
}

static void begin_request(struct sim *sim, const struct engine_action *action)
{
	const struct sim_source *s = &sim->sources[action->source];
	uint64_t length = action->range.end - action->range.first;
	struct engine_event end = {.type = ENGINE_REQUEST_ENDED, .slot = action->slot};
	uint64_t id = ++sim->n_scheduled;
	uint64_t bytes;

	check_request(sim, action);
	sim->n_requests++;
	sim->n_requests_of[action->source]++;
	sim->bytes_asked += length;
	sim->request_ids[action->slot] = id;
	sim->began_ms[action->slot] = sim->now_ms;
	sim->ranges[action->slot] = action->range;
	sim->whole[action->slot] = action->whole;
	sim->in_flight_max = MAX(sim->in_flight_max, sim->engine.in_flight);
	if (s->ignores_ranges && !action->whole) {
		end.type = ENGINE_WHOLE_OFFERED;
		schedule(sim, 20, &end, "", id);
		return;
	}
	end.outcome = fate(sim, s, length, &bytes);
	end.bytes = bytes;
	end.retry_after_ms = end.outcome == REQUEST_RETRY_AFTER ? s->later_ms : 0;
	end.duration_ms = 20 + bytes / MAX(s->bytes_per_ms, 1);
	if (end.outcome == REQUEST_STALLED)
		end.duration_ms += 30000;
	schedule(sim, end.duration_ms, &end, "as the dice fell", id);
}

/* The body that waited comes now: as one request for everything. */
static void accept_whole(struct sim *sim, unsigned slot)
{
	struct engine_action whole = {.type = ACTION_REQUEST, .slot = slot, .whole = true};

	whole.source = sim->engine.slots[slot].source;
	whole.range = sim->engine.slots[slot].range;
	sim->request_ids[slot] = 0;
	sim->n_requests--;
	sim->n_requests_of[whole.source]--;
	begin_request(sim, &whole);
}

/* What has arrived by now is kept; nothing more comes. */
static void cancel_request(struct sim *sim, unsigned slot)
{
	const struct sim_source *s = &sim->sources[sim->engine.slots[slot].source];
	uint64_t length = sim->ranges[slot].end - sim->ranges[slot].first;
	struct engine_event end = {
		.type = ENGINE_REQUEST_ENDED, .slot = slot, .outcome = REQUEST_NEUTRAL};
	uint64_t id = sim->request_ids[slot];
	uint64_t passed = sim->now_ms - sim->began_ms[slot];

	if (sim->ending[slot])
		return;
	forget_events(sim, ENGINE_REQUEST_ENDED, id);
	forget_events(sim, ENGINE_WHOLE_OFFERED, id);
	end.bytes = s->ignores_ranges && !sim->whole[slot] ? 0 : passed * s->bytes_per_ms;
	end.bytes = MIN(end.bytes, length) / SIM_UNIT * SIM_UNIT;
	schedule(sim, 1, &end, "cancelled", id);
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

static void perform(struct sim *sim, const struct engine_action *action)
{
	switch (action->type) {
	case ACTION_STATE:
		note_state(sim, action->state);
		return;
	case ACTION_OPEN:
		disk_job(sim, ENGINE_OPENED);
		return;
	case ACTION_CHECK:
		disk_job(sim, ENGINE_CHECKED);
		return;
	case ACTION_DISCOVER:
		discover(sim);
		return;
	case ACTION_STOP_DISCOVERY:
		forget_events(sim, ENGINE_ANSWER, 0);
		return;
	case ACTION_PREPARE:
		disk_job(sim, ENGINE_PREPARED);
		return;
	case ACTION_REQUEST:
		begin_request(sim, action);
		return;
	case ACTION_ACCEPT_WHOLE:
		accept_whole(sim, action->slot);
		return;
	case ACTION_CANCEL_REQUEST:
		cancel_request(sim, action->slot);
		return;
	case ACTION_MISMATCH:
		sim->n_mismatches++;
		return;
	case ACTION_FINISH:
		check_complete(sim);
		disk_job(sim, ENGINE_FINISHED);
		return;
	case ACTION_SOURCE_LEFT:
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
	assert_int_equal(used, e->in_flight);
	assert_true(owed > 0 || engine_state_is_ended(e->state) || e->state == ENGINE_PAUSED ||
		    e->state == ENGINE_QUEUED || engine_next_wake(e) != ENGINE_NEVER);
}

static void step(struct sim *sim, const struct engine_event *event)
{
	struct engine_actions actions;

	engine_step(&sim->engine, event, sim->now_ms, &actions);
	for (unsigned i = 0; i < actions.n; i++)
		perform(sim, &actions.items[i]);
	/* As download.c does: nobody was asked yet in the step that said so. */
	for (unsigned i = 0; i < actions.n; i++) {
		if (actions.items[i].type == ACTION_DISCOVER) {
			step(sim, &(struct engine_event){.type = ENGINE_TICK});
			return;
		}
	}
	check_always(sim);
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

	sim->sources[sim->n_sources++] = *source;
	for (unsigned i = 0; i < sim->n_sources; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%u", i);
		specs[i] = (struct engine_source_spec){.name = names[i], .kind = kind};
	}
	engine_set_sources(&sim->engine, specs, sim->n_sources);
}

static void set_pieces(struct sim *sim)
{
	for (unsigned i = 0; i < sim->n_sources; i++)
		sim->engine.sources[i].pieces = sim->has_some[i] ? sim->pieces[i] : NULL;
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

void sim_tell(struct sim *sim, enum engine_event_type type)
{
	sim->disk_failed |= type == ENGINE_LOCAL_ERROR;
	step(sim, &(struct engine_event){.type = type, .reason = "as the test said"});
}

/* The bytes of a request arrive on the disk: which are right depends on the source and the dice. */
static void write_units(struct sim *sim, const struct sim_source *s, uint64_t first, uint64_t end)
{
	uint64_t flipped = percent(sim) < s->corrupts && end > first
				   ? first + test_random(&sim->random) % (end - first)
				   : UINT64_MAX;

	for (uint64_t at = first; at < end; at += SIM_UNIT) {
		uint64_t piece = at / SIM_PIECE_SIZE;
		bool is_bad = flipped / SIM_UNIT == at / SIM_UNIT ||
			      (piece < 64 && (s->bad_pieces >> piece & 1));

		if (!is_verified(sim, (uint32_t)piece))
			sim->units[at / SIM_UNIT] = is_bad ? 2 : 1;
	}
}

/* What hashing would say. */
static bool is_right(const struct sim *sim, uint32_t piece)
{
	uint64_t end = MIN((uint64_t)(piece + 1) * SIM_PIECE_SIZE, sim->manifest.size);

	for (uint64_t at = (uint64_t)piece * SIM_PIECE_SIZE; at < end; at += SIM_UNIT)
		if (sim->units[at / SIM_UNIT] != 1)
			return false;
	return true;
}

/* Judge the pieces that a request completed, as block_job.c does: the first that is wrong ends it.
 */
static void judge_pieces(struct sim *sim, struct engine_event *end)
{
	uint64_t at = sim->ranges[end->slot].first;

	end->held_end = at + end->bytes;
	while (at < sim->ranges[end->slot].first + end->bytes) {
		uint32_t piece = (uint32_t)(at / SIM_PIECE_SIZE);
		uint64_t piece_end =
			MIN((uint64_t)(piece + 1) * SIM_PIECE_SIZE, sim->manifest.size);

		if (piece_end > end->held_end)
			return;
		if (!is_verified(sim, piece) && !is_right(sim, piece)) {
			end->outcome = REQUEST_BAD_PIECE;
			end->piece = piece;
			end->held_end =
				MAX((uint64_t)piece * SIM_PIECE_SIZE, sim->ranges[end->slot].first);
			return;
		}
		if (!is_verified(sim, piece)) {
			piece_map_set_bit(sim->verified, piece);
			step(sim, &(struct engine_event){
					  .type = ENGINE_PIECE, .slot = end->slot, .piece = piece});
		}
		at = piece_end;
	}
}

static void end_request(struct sim *sim, struct engine_event *end)
{
	const struct sim_source *s = &sim->sources[sim->engine.slots[end->slot].source];
	uint64_t first = sim->ranges[end->slot].first;

	engine_count_received(&sim->engine, end->slot, end->bytes);
	write_units(sim, s, first, first + end->bytes);
	sim->ending[end->slot] = true; /* what is asked for now comes too late */
	judge_pieces(sim, end);
	sim->ending[end->slot] = false;
	sim->request_ids[end->slot] = 0;
	step(sim, end);
}

static void lose_some(struct sim *sim)
{
	for (uint32_t piece = 0; piece < sim->manifest.n_pieces; piece++) {
		if (!is_verified(sim, piece) || percent(sim) >= 10)
			continue;
		sim->verified[piece / 8] =
			(uint8_t)(sim->verified[piece / 8] & ~(0x80 >> piece % 8));
		memset(sim->units + piece * (SIM_PIECE_SIZE / SIM_UNIT), 2,
		       SIM_PIECE_SIZE / SIM_UNIT);
	}
}

static void open_disk(struct sim *sim, const struct engine_event *event)
{
	if (sim->engine.in_flight > 0) {
		disk_job(sim, ENGINE_OPENED);
		return;
	}
	if (sim->disk_failed && sim->engine.has_image) {
		lose_some(sim);
		assert_int_equal(engine_set_image(&sim->engine, &sim->manifest, sim->verified), 0);
	}
	sim->disk_failed = false;
	step(sim, event);
}

static void deliver(struct sim *sim, struct sim_event *happening)
{
	struct engine_event *event = &happening->event;
	uint8_t other[DIGEST_SIZE] = {9};

	event->reason = happening->reason;
	switch (event->type) {
	case ENGINE_REQUEST_ENDED:
		end_request(sim, event);
		return;
	case ENGINE_ANSWER:
		event->digest =
			sim->sources[event->source].other_image ? other : sim->manifest.digest;
		step(sim, event);
		return;
	case ENGINE_OPENED:
		open_disk(sim, event);
		return;
	case ENGINE_PREPARED:
		assert_int_equal(engine_set_image(&sim->engine, &sim->manifest, sim->verified), 0);
		step(sim, event);
		return;
	default:
		step(sim, event);
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
		sim->now_ms = happening.at_ms;
		deliver(sim, &happening);
		return true;
	}
	if (wake > until_ms) {
		sim->now_ms = MAX(sim->now_ms, until_ms == UINT64_MAX ? 0 : until_ms);
		return false;
	}
	sim->now_ms = MAX(sim->now_ms, wake);
	step(sim, &(struct engine_event){.type = ENGINE_TICK});
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
	engine_restore(&sim->engine, old.state, old.attempt, old.used_ms, old.bytes_fetched,
		       old.error);
	for (unsigned i = 0; i < sim->n_sources; i++) {
		engine_restore_source(&sim->engine, &old.sources[i]);
		specs[i] = (struct engine_source_spec){.name = old.sources[i].name,
						       .kind = old.sources[i].kind};
	}
	engine_set_sources(&sim->engine, specs, sim->n_sources);
	set_pieces(sim);
	sim->n_events = 0;
	memset(sim->request_ids, 0, sizeof(sim->request_ids));
	/* Beginnings of pieces are forgotten, their bytes may be anything. */
	for (uint32_t piece = 0; piece < sim->manifest.n_pieces; piece++)
		if (!is_verified(sim, piece))
			memset(sim->units + piece * (SIM_PIECE_SIZE / SIM_UNIT), 2,
			       SIM_PIECE_SIZE / SIM_UNIT);
	if (old.has_image)
		assert_int_equal(engine_set_image(&sim->engine, &sim->manifest, sim->verified), 0);
	engine_release(&old);
	if (sim->engine.state == ENGINE_QUEUED)
		sim_tell(sim, ENGINE_RUN);
}
