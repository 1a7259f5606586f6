/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The requests of the simulated world: what becomes of each, and which of its bytes are right. */
#include "simulation_private.h"

#include "base/macros.h"
#include "download/image/piece_map.h"

static void check_request(const struct sim *sim, const struct engine_action *action)
{
	const struct byte_range *r = &action->range;
	uint32_t first = (uint32_t)(r->first / SIM_PIECE_SIZE);
	uint32_t last = (uint32_t)((r->end - 1) / SIM_PIECE_SIZE);

	assert_true(r->first < r->end && r->end <= sim->manifest.size);
	assert_true(sim->engine.in_flight <= sim->engine.limits.concurrency);
	assert_true(sim->request_ids[action->slot] == 0);
	for (uint32_t piece = first; piece <= last && !action->whole; piece++) {
		assert_false(sim_is_verified(sim, piece));
		assert_true(!sim->has_some[action->source] ||
			    piece_bits_has(sim->pieces[action->source], piece));
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
	unsigned dice = sim_percent(sim);
	uint64_t some = length / SIM_UNIT ? test_random(&sim->random) % (length / SIM_UNIT) : 0;

	*ret_bytes = 0;
	if (dice < s->fails)
		return REQUEST_FAILED;
	dice -= s->fails;
	if (dice < s->refuses)
		return dice % 2 ? REQUEST_REFUSED : REQUEST_LIED;
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

static unsigned served_of(const struct sim *sim, unsigned source)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS_MAX; i++)
		n += sim->request_ids[i] != 0 && sim->served[i] &&
		     sim->engine.slots[i].source == source;
	return n;
}

static bool is_too_many(const struct sim *sim, unsigned source)
{
	const struct sim_source *s = &sim->sources[source];

	return (s->at_once > 0 && served_of(sim, source) >= s->at_once) ||
	       (s->apart_ms > 0 && sim->served_ms[source] > 0 &&
		sim->now_ms < sim->served_ms[source] + s->apart_ms);
}

/* A cache without a lock has it all fetched anew by who asks while it is being fetched for another.
 * Who asks after the other has its range waits behind that, as on one connection. */
static uint64_t wait_for_cache(struct sim *sim, unsigned source, uint64_t first)
{
	uint64_t takes_ms = sim->manifest.size / MAX(sim->sources[source].bytes_per_ms, 1);

	if (sim->fetched_ms[source] == 0 ||
	    (sim->now_ms < sim->fetched_ms[source] && served_of(sim, source) > 0)) {
		sim->n_fetches[source]++;
		sim->fetched_ms[source] = sim->now_ms + takes_ms;
		return first / MAX(sim->sources[source].bytes_per_ms, 1);
	}
	return sim->now_ms < sim->fetched_ms[source] ? sim->fetched_ms[source] - sim->now_ms : 0;
}

/* As transfer.c tells it: the first byte, or each second in which it does not come. */
static void schedule_first_byte(struct sim *sim, unsigned slot, uint64_t after_ms, bool comes)
{
	struct engine_event event = {.type = EVENT_SILENT, .request.slot = slot};
	uint64_t id = sim->request_ids[slot];

	for (uint64_t at_ms = 3000; at_ms < after_ms && at_ms < 8000; at_ms += 1000)
		sim_schedule(sim, at_ms, &event, "", id);
	event.type = EVENT_ANSWERED;
	if (comes)
		sim_schedule(sim, after_ms, &event, "", id);
}

/* Returns how long it takes until the first byte comes. */
static uint64_t begin_to_serve(struct sim *sim, unsigned slot, unsigned source, uint64_t first)
{
	const struct sim_source *s = &sim->sources[source];
	uint64_t after_ms = 20 + s->connect_ms;

	if (s->fetches_all)
		after_ms += wait_for_cache(sim, source, first);
	if (s->late > 0 && sim_percent(sim) < s->late)
		after_ms += s->late_ms;
	sim->served[slot] = true;
	sim->served_ms[source] = sim->now_ms;
	sim->first_byte_ms[slot] = sim->now_ms + after_ms;
	return after_ms;
}

static void refuse(struct sim *sim, struct engine_event *end, unsigned source, uint64_t id)
{
	sim->n_busy[source]++;
	end->ended.outcome = sim->sources[source].refuses_with;
	if (end->ended.outcome == REQUEST_OK)
		end->ended.outcome = REQUEST_BUSY;
	end->ended.duration_ms = 20;
	sim_schedule(sim, 20, end, "HTTP 503", id);
}

/* Returns whether the source, or a cache before it, has another file. */
static bool answer_for_another_file(struct sim *sim, const struct engine_action *action,
				    struct engine_event *end)
{
	const struct sim_source *s = &sim->sources[action->source];

	if (s->other_file == REQUEST_OK || (s->only_in_cache && action->past_caches) ||
	    sim->n_requests_of[action->source] <= s->other_file_after)
		return false;
	end->ended.outcome = s->other_file;
	end->ended.other_file = true;
	end->ended.duration_ms = 20;
	sim_schedule(sim, 20, end, "wrong total", sim->request_ids[action->slot]);
	return true;
}

/* The file ends early there. */
static void cut_short(struct sim_source *s, uint64_t first, struct engine_event *end)
{
	if (s->ends_at == 0 || first + end->ended.bytes <= s->ends_at)
		return;
	end->ended.bytes = s->ends_at - MIN(first, s->ends_at);
	end->ended.outcome = REQUEST_CUT;
	s->ends_at += s->ends_later;
}

void sim_begin_request(struct sim *sim, const struct engine_action *action)
{
	struct sim_source *s = &sim->sources[action->source];
	uint64_t length = action->range.end - action->range.first;
	struct engine_event end = {.type = EVENT_REQUEST_ENDED, .ended.slot = action->slot};
	uint64_t id = ++sim->n_scheduled;
	uint64_t first_ms;
	uint64_t bytes;

	check_request(sim, action);
	sim->n_requests++;
	sim->n_requests_of[action->source]++;
	sim->bytes_asked += length;
	sim->request_ids[action->slot] = id;
	sim->began_ms[action->slot] = sim->now_ms;
	sim->ranges[action->slot] = action->range;
	sim->held_behind[action->slot] = action->held_behind;
	sim->whole[action->slot] = action->whole;
	sim->past_caches[action->slot] = action->past_caches;
	sim->served[action->slot] = false;
	sim->first_byte_ms[action->slot] = UINT64_MAX;
	sim->in_flight_max = MAX(sim->in_flight_max, sim->engine.in_flight);
	if (s->ignores_ranges && !action->whole) {
		end = (struct engine_event){.type = EVENT_WHOLE_OFFERED,
					    .request.slot = action->slot};
		sim_schedule(sim, 20, &end, "", id);
		return;
	}
	if (is_too_many(sim, action->source)) {
		refuse(sim, &end, action->source, id);
		return;
	}
	if (answer_for_another_file(sim, action, &end))
		return;
	first_ms = begin_to_serve(sim, action->slot, action->source, action->range.first);
	end.ended.outcome = fate(sim, s, length, &bytes);
	end.ended.bytes = bytes;
	cut_short(s, action->range.first, &end);
	bytes = end.ended.bytes;
	end.ended.retry_after_ms = end.ended.outcome == REQUEST_RETRY_AFTER ? s->later_ms : 0;
	end.ended.duration_ms = first_ms + bytes / MAX(s->bytes_per_ms, 1);
	if (end.ended.outcome == REQUEST_STALLED)
		end.ended.duration_ms += 30000;
	schedule_first_byte(sim, action->slot, bytes > 0 ? first_ms : end.ended.duration_ms,
			    bytes > 0);
	sim_schedule(sim, end.ended.duration_ms, &end, "as the dice fell", id);
}

/* The body that waited comes now: as one request for everything. */
void sim_accept_whole(struct sim *sim, unsigned slot)
{
	struct engine_action whole = {.type = ACTION_REQUEST, .slot = slot, .whole = true};

	whole.source = sim->engine.slots[slot].source;
	whole.range = sim->engine.slots[slot].range;
	whole.past_caches = sim->past_caches[slot];
	sim->request_ids[slot] = 0;
	sim->n_requests--;
	sim->n_requests_of[whole.source]--;
	sim_begin_request(sim, &whole);
}

/* What has arrived by now is kept; nothing more comes. */
void sim_cancel_request(struct sim *sim, unsigned slot)
{
	const struct sim_source *s = &sim->sources[sim->engine.slots[slot].source];
	uint64_t length = sim->ranges[slot].end - sim->ranges[slot].first;
	struct engine_event end = {
		.type = EVENT_REQUEST_ENDED, .ended.slot = slot, .ended.outcome = REQUEST_NEUTRAL};
	uint64_t id = sim->request_ids[slot];
	uint64_t passed = sim->now_ms - MIN(sim->now_ms, sim->first_byte_ms[slot]);

	if (sim->ending[slot])
		return;
	sim_forget_events(sim, EVENT_REQUEST_ENDED, id);
	sim_forget_events(sim, EVENT_WHOLE_OFFERED, id);
	sim_forget_events(sim, EVENT_ANSWERED, id);
	sim_forget_events(sim, EVENT_SILENT, id);
	end.ended.bytes = s->ignores_ranges && !sim->whole[slot] ? 0 : passed * s->bytes_per_ms;
	end.ended.bytes = MIN(end.ended.bytes, length) / SIM_UNIT * SIM_UNIT;
	sim_schedule(sim, 1, &end, "cancelled", id);
}

/* The bytes of a request arrive on the disk: which are right depends on the source and the dice. */
static void write_units(struct sim *sim, unsigned slot, uint64_t first, uint64_t end)
{
	const struct sim_source *s = &sim->sources[sim->engine.slots[slot].source];
	uint64_t wrong = s->bad_pieces | (sim->past_caches[slot] ? 0 : s->stale_pieces);
	uint64_t flipped = sim_percent(sim) < s->corrupts && end > first
				   ? first + test_random(&sim->random) % (end - first)
				   : UINT64_MAX;

	for (uint64_t at = first; at < end; at += SIM_UNIT) {
		uint64_t piece = at / SIM_PIECE_SIZE;
		bool is_bad =
			flipped / SIM_UNIT == at / SIM_UNIT || (piece < 64 && (wrong >> piece & 1));

		if (!sim_is_verified(sim, (uint32_t)piece))
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

/* Judge the pieces that a request completed, as image_file.c does: the first that is wrong ends it.
 */
static void judge_pieces(struct sim *sim, struct engine_request_end *end)
{
	uint64_t at = sim->ranges[end->slot].first;
	uint64_t judged_end = at + end->bytes;

	end->held_end = at + end->bytes;
	if (end->held_end == sim->ranges[end->slot].end)
		judged_end += sim->held_behind[end->slot];
	while (at < sim->ranges[end->slot].first + end->bytes) {
		uint32_t piece = (uint32_t)(at / SIM_PIECE_SIZE);
		uint64_t piece_end =
			MIN((uint64_t)(piece + 1) * SIM_PIECE_SIZE, sim->manifest.size);

		if (piece_end > judged_end)
			return;
		if (!sim_is_verified(sim, piece) && !is_right(sim, piece)) {
			end->outcome = REQUEST_BAD_PIECE;
			end->piece = piece;
			end->held_end =
				MAX((uint64_t)piece * SIM_PIECE_SIZE, sim->ranges[end->slot].first);
			return;
		}
		if (!sim_is_verified(sim, piece)) {
			piece_bits_set(sim->verified, piece);
			sim_step(sim, &(struct engine_event){.type = EVENT_PIECE,
							     .verified.slot = end->slot,
							     .verified.piece = piece});
		}
		at = piece_end;
	}
}

void sim_end_request(struct sim *sim, struct engine_event *event)
{
	struct engine_request_end *end = &event->ended;
	uint64_t first = sim->ranges[end->slot].first;

	sim_forget_events(sim, EVENT_ANSWERED, sim->request_ids[end->slot]);
	sim_forget_events(sim, EVENT_SILENT, sim->request_ids[end->slot]);
	engine_count_received(&sim->engine, end->slot, end->bytes);
	write_units(sim, end->slot, first, first + end->bytes);
	sim->ending[end->slot] = true; /* what is asked for now comes too late */
	judge_pieces(sim, end);
	sim->ending[end->slot] = false;
	sim->request_ids[end->slot] = 0;
	sim_step(sim, event);
}
