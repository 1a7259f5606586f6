/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/source.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define BACKOFF_MAX_MS 60000u

void source_init(struct source *s, const char *name, enum source_kind kind)
{
	memset(s, 0, sizeof(*s));
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	s->kind = kind;
}

void source_begin_attempt(struct source *s, unsigned window)
{
	s->window = (struct source_window){.size = window};
	s->conduct = CONDUCT_UNKNOWN;
	s->pieces = NULL;
	s->fetches = false;
	s->asked_again = 0;
	s->skip_until_ms = 0;
	s->rest_until_ms = 0;
	s->length_limit = 0;
	allowance_begin_attempt(&s->allowance);
	if (s->state != SOURCE_EXCLUDED)
		source_set_state(s, SOURCE_ASKED, "");
}

void source_begin_anew(struct source *s)
{
	source_set_state(s, SOURCE_ASKED, "");
	s->mismatches = 0;
	s->past_caches = false;
	s->no_range = false;
}

void source_set_state(struct source *s, enum source_state state, const char *reason)
{
	s->state = state;
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

bool source_is_usable(const struct source *s)
{
	return s->state == SOURCE_AVAILABLE;
}

bool source_is_proven(const struct source *s)
{
	return s->conduct == CONDUCT_DELIVERS || s->conduct == CONDUCT_STUMBLES;
}

bool source_fails(const struct source *s)
{
	return s->conduct == CONDUCT_STUMBLES || s->conduct == CONDUCT_FAILS;
}

static unsigned window_failures(const struct source_window *w)
{
	uint64_t mask = w->size >= 64 ? UINT64_MAX : (UINT64_C(1) << w->size) - 1;

	return (unsigned)__builtin_popcountll(w->history & mask);
}

static bool is_success(enum request_outcome outcome, uint64_t bytes, uint32_t piece_size)
{
	if (outcome == REQUEST_CUT)
		return bytes >= MIN(piece_size, CUT_SUCCESS_BYTES);
	return outcome == REQUEST_OK;
}

static void record_success(struct source *s, enum request_outcome outcome, uint64_t bytes)
{
	s->window.history <<= 1;
	s->conduct = CONDUCT_DELIVERS;
	s->asked_again = 0;
	if (outcome == REQUEST_CUT && (s->length_limit == 0 || bytes < s->length_limit))
		s->length_limit = bytes;
}

static void record_failure(struct source *s)
{
	s->window.history = s->window.history << 1 | 1;
	s->conduct = source_is_proven(s) ? CONDUCT_STUMBLES : CONDUCT_FAILS;
	s->failures++;
}

/* Returns the state of an available source after a failure. */
static enum source_state state_after_failure(struct source *s, enum request_outcome outcome)
{
	if (outcome == REQUEST_BAD_PIECE && ++s->mismatches >= 2)
		return SOURCE_EXCLUDED;
	if (outcome == REQUEST_REFUSED || outcome == REQUEST_LIED ||
	    2 * window_failures(&s->window) > s->window.size)
		return SOURCE_BROKEN;
	return SOURCE_AVAILABLE;
}

enum source_state source_record(struct source *s, enum request_outcome outcome, uint64_t bytes,
				uint32_t piece_size)
{
	if (outcome == REQUEST_NEUTRAL)
		return s->state;
	if (outcome == REQUEST_RETRY_AFTER) {
		s->failures++;
		return s->state;
	}
	if (is_success(outcome, bytes, piece_size)) {
		record_success(s, outcome, bytes);
		return s->state;
	}
	record_failure(s);
	if (s->state != SOURCE_AVAILABLE)
		return s->state;
	/* The next attempt may ask this source for the whole file, if no other source serves
	 * ranges. A source that has just served ranges is not marked so. */
	if (outcome == REQUEST_LIED && !source_is_proven(s))
		s->no_range = true;
	s->state = state_after_failure(s, outcome);
	return s->state;
}

void source_note_rate(struct source *s, uint64_t bytes, uint64_t duration_ms)
{
	uint64_t rate = bytes * 1000 / MAX(duration_ms, 1);

	s->most = MAX(s->most, bytes);
	s->rate = s->rate == 0 ? rate : (s->rate + rate) / 2;
}

uint64_t source_request_length(const struct source *s)
{
	uint64_t length = s->rate * REQUEST_AIM_MS / 1000;

	return MIN(MIN(length, REQUEST_GROWTH * s->most), REQUEST_BYTES_MAX);
}

uint64_t source_backoff_ms(const struct source *s)
{
	if (s->asked_again == 0)
		return 0;
	if (s->asked_again > 6)
		return BACKOFF_MAX_MS;
	return MIN(UINT64_C(1000) << (s->asked_again - 1), BACKOFF_MAX_MS);
}
