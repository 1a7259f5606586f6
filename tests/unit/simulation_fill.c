/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the node itself has of the simulated image: whole pieces, or bytes of them, right or wrong.
 */
#include "simulation_private.h"

#include "base/macros.h"
#include "base/piece_bits.h"

#define FILL_MS        5
#define UNITS_OF_PIECE (SIM_PIECE_SIZE / SIM_UNIT)
#define RUNS_MAX       (FILL_PIECES_MAX * UNITS_OF_PIECE)

static void begin(struct sim *sim)
{
	uint8_t pieces[SIM_PIECES_MAX / 8];

	for (unsigned i = 0; i < sizeof(pieces); i++)
		pieces[i] = (uint8_t)test_random(&sim->random);
	assert_int_equal(engine_fill_begin(&sim->engine, pieces), 0);
	sim->fill_begun = true;
}

void sim_follow_fill(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct engine_event event = {.type = EVENT_FILLED};

	if (!sim->has_seeds || sim->filling)
		return;
	if (e->state != ENGINE_DOWNLOADING || e->disk != DISK_READY) {
		engine_fill_end(e);
		engine_fill_expect(e, true);
		sim->fill_begun = false;
		return;
	}
	if (!sim->fill_begun) {
		begin(sim);
		if (sim_percent(sim) < 80) { /* or it is not known in time */
			engine_fill_expect(e, false);
			sim_tell(sim, EVENT_TICK);
			return;
		}
	}
	if (!e->picker.promised)
		return;
	event.filled.n = engine_fill_take(e, 1 + sim_percent(sim) % 8, &event.filled.first);
	if (event.filled.n == 0) {
		sim_tell(sim, EVENT_TICK); /* a whole file may be asked for now */
		return;
	}
	sim->filling = true;
	sim_schedule(sim, FILL_MS, &event, "", 0);
}

static void write_units(struct sim *sim, const struct byte_range *run, uint8_t what)
{
	memset(sim->units + run->first / SIM_UNIT, what, (run->end - run->first) / SIM_UNIT);
}

/* Some units of a piece, with holes between them. Returns how many runs. */
static unsigned fill_some(struct sim *sim, const struct byte_range *piece, struct byte_range *ret)
{
	uint8_t what = sim_percent(sim) < sim->seed_lies ? 2 : 1;
	uint64_t at = piece->first + sim_percent(sim) % 3 * SIM_UNIT;
	unsigned n = 0;

	while (at < piece->end) {
		uint64_t length = (1 + sim_percent(sim) % 20) * SIM_UNIT;

		ret[n] = (struct byte_range){.first = at, .end = MIN(at + length, piece->end)};
		if (ret[n].first == piece->first && ret[n].end == piece->end)
			break; /* a whole piece is not held, but right or wrong */
		write_units(sim, &ret[n], what);
		at = ret[n++].end + (1 + sim_percent(sim) % 30) * SIM_UNIT;
	}
	return n;
}

void sim_end_fill(struct sim *sim, struct engine_event *event)
{
	struct byte_range held[RUNS_MAX];

	event->filled.held = held;
	for (uint32_t i = 0; i < event->filled.n; i++) {
		uint32_t piece = event->filled.first + i;
		const struct byte_range whole = {
			.first = (uint64_t)piece * SIM_PIECE_SIZE,
			.end = MIN((uint64_t)(piece + 1) * SIM_PIECE_SIZE, sim->manifest.size)};

		assert_false(sim_is_verified(sim, piece));
		/* What was there is overwritten, in part. */
		write_units(sim, &whole, 2);
		if (sim_percent(sim) < 50) {
			event->filled.n_held += fill_some(sim, &whole, held + event->filled.n_held);
		} else if (sim_percent(sim) < 80) {
			write_units(sim, &whole, 1);
			piece_bits_set(sim->verified, piece);
			event->filled.right |= UINT32_C(1) << i;
		}
	}
	sim->filling = false;
	sim_step(sim, event);
}
