/* SPDX-License-Identifier: GPL-3.0-or-later */
/* simulation.h - a world for the engine: sources that fail in every way, a disk, and a clock.
 *
 * It does what download.c does, without a byte on any network: performs the engine's actions and
 * answers with events when their time has come. Of each KiB of the image it knows whether the
 * disk has nothing, the right bytes or wrong ones, so that it can tell what the engine must not
 * do. Every rule that holds always is checked at each step:
 *
 *	no piece is asked for that is verified, none in two requests, nothing outside the image
 *	never more requests than the concurrency
 *	no attempt begins that the disk does not know
 *	unless it has ended, somebody owes an answer, the peer is asked, or a timer is armed
 *	complete means that every KiB is right
 *	what was filled and is fetched all the same is at most its part of the image
 */
#pragma once

#include "support.h"

#include "download/engine/engine.h"
#include "download/image/manifest.h"

#define SIM_UNIT       1024u
#define SIM_PIECE_SIZE (64u << 10)
#define SIM_PIECES_MAX 256u
#define SIM_EVENTS_MAX 256u

/* How a source behaves; percentages of its requests. */
struct sim_source {
	enum engine_answer answer;
	uint64_t answer_ms; /* after it was asked */
	unsigned fails;     /* cannot connect */
	unsigned stalls;
	unsigned cuts;
	unsigned corrupts; /* a bit flips somewhere */
	unsigned refuses;
	unsigned says_later; /* 429, Retry-After */
	uint64_t later_ms;
	unsigned at_once; /* requests of one client that it serves; 0 = any number */
	enum request_outcome refuses_with; /* further ones end so; REQUEST_OK: it says 503 */
	uint64_t apart_ms;                 /* between two that it serves; 0 = none */
	unsigned late;       /* percent of its requests: packets are lost, and sent again later */
	uint64_t late_ms;    /* so much later the first byte comes */
	uint64_t connect_ms; /* several addresses: until one that is not silent is found */
	bool fetches_all;    /* a cache that has the whole file fetched first, for each request */
	uint64_t ends_at;    /* each reply ends at that byte of the file; 0 = no */
	uint64_t ends_later; /* and the next so much later */
	bool ignores_ranges; /* answers 200 with the whole file */
	bool other_image;
	bool fetches; /* a conductor that fetches the image for us: has what sim_give_pieces says */
	uint64_t bytes_per_ms;           /* of one request */
	uint64_t bad_pieces;             /* of the first 64: it has them wrong */
	uint64_t stale_pieces;           /* likewise, unless it is asked past caches */
	enum request_outcome other_file; /* how it answers for another file; REQUEST_OK = it does
					    not */
	unsigned other_file_after;       /* so many requests */
	bool only_in_cache;              /* the other file, and it can be asked past it */
};

struct sim_event {
	uint64_t at_ms;
	uint64_t order;
	struct engine_event event;
	char reason[64];
	bool ends_request;
	uint64_t id; /* of the request */
};

struct sim {
	struct engine engine;
	uint64_t now_ms;
	uint64_t random;
	struct sim_source sources[SOURCES_MAX];
	enum source_kind kinds[SOURCES_MAX];
	uint8_t pieces[SOURCES_MAX][SIM_PIECES_MAX / 8]; /* of sources that have only some */
	bool has_some[SOURCES_MAX];
	unsigned n_sources;
	struct manifest manifest;
	uint8_t units[SIM_PIECES_MAX *
		      (SIM_PIECE_SIZE / SIM_UNIT)]; /* 0 nothing, 1 right, 2 wrong */
	uint8_t verified[SIM_PIECES_MAX / 8];
	bool has_seeds;     /* bytes are filled from what the node has, while it downloads */
	unsigned seed_lies; /* percent of the pieces that are filled in part: with wrong bytes */
	bool fill_begun;
	bool filling;     /* EVENT_FILLED is on its way */
	bool disk_failed; /* and has not been looked at since */
	uint32_t recorded_attempt;
	unsigned damages; /* so often the image is found damaged when it is read back */

	struct sim_event events[SIM_EVENTS_MAX];
	unsigned n_events;
	uint64_t n_scheduled;
	uint64_t request_ids[SLOTS_MAX]; /* of the slot's request; 0 = none */
	uint64_t began_ms[SLOTS_MAX];
	struct byte_range ranges[SLOTS_MAX];
	uint64_t held_behind[SLOTS_MAX];
	bool whole[SLOTS_MAX];
	bool past_caches[SLOTS_MAX];
	bool served[SLOTS_MAX];
	uint64_t first_byte_ms[SLOTS_MAX]; /* when it comes */
	uint64_t served_ms[SOURCES_MAX];   /* when the last request was begun to be served */
	uint64_t fetched_ms[SOURCES_MAX];  /* when the cache has it all; 0 = not asked yet */
	unsigned n_fetches[SOURCES_MAX];   /* of the whole file, by a cache */
	unsigned n_busy[SOURCES_MAX];      /* requests refused because they were too many */
	bool ending[SLOTS_MAX];

	/* What a test asks afterwards. */
	unsigned n_requests;
	unsigned n_requests_of[SOURCES_MAX];
	unsigned n_discoveries;
	unsigned n_mismatches;
	unsigned n_past_caches;
	char left[SOURCE_REASON_SIZE]; /* why a source was left, the last time */
	unsigned n_not_awaited;        /* went on without the peer */
	unsigned in_flight_max;
	uint64_t bytes_asked;
	uint64_t retry_at_ms[64]; /* when each wait for a retry began, and how long it is */
	uint64_t retry_delay_ms[64];
	unsigned n_retries;
	enum engine_state states[64]; /* entered, the first ones */
	unsigned n_states;
};

/* Delivers at 64 KiB a millisecond; is not there; and fails at each request. */
extern const struct sim_source sim_good;
extern const struct sim_source sim_dead;
extern const struct sim_source sim_failing;

struct engine_limits sim_limits(void); /* the defaults of the model */

void sim_init(struct sim *sim, const struct engine_limits *limits, unsigned n_pieces,
	      uint64_t seed);
void sim_add_source(struct sim *sim, const struct sim_source *source, enum source_kind kind);
/* The source has only the pieces of which a bit is set in some; from the next step on. */
void sim_set_pieces(struct sim *sim, unsigned source, const uint8_t *some);
void sim_release(struct sim *sim);

/* One on the heap, and one with the usual limits that runs already; b may be NULL. */
struct sim *sim_new(const struct engine_limits *limits, unsigned n_pieces);
struct sim *sim_with(const struct sim_source *a, const struct sim_source *b);
void sim_free(struct sim *sim);

/* Tell the engine now, and perform what it asks for. After EVENT_LOCAL_ERROR some of the verified
 * pieces are lost. */
void sim_tell(struct sim *sim, enum engine_event_type type);

/* The same with a whole event. */
void sim_happens(struct sim *sim, const struct engine_event *event);

/* This is heard of the pieces of a source that has only some. */
void sim_tell_pieces(struct sim *sim, unsigned source, enum engine_pieces what);

/* It has those from first up to end, and they are heard of. */
void sim_give_pieces(struct sim *sim, unsigned source, uint32_t first, uint32_t end);

/* Let time go by until the next thing happens, at most to until_ms. false = nothing before. */
bool sim_next(struct sim *sim, uint64_t until_ms);

/* Until the download has ended or is paused, or until_ms. Returns its state. */
enum engine_state sim_run(struct sim *sim, uint64_t until_ms);

/* kill -9 and another start: what is verified stays, partial pieces are gone. */
void sim_restart_daemon(struct sim *sim);
