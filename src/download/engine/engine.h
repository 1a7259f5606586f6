/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine.h - every decision of a download, and nothing else.
 *
 * Pure: engine_step() takes what happened and the time, changes the state, and says what is to be
 * done. It opens no file and no socket, reads no clock and calls nobody back. So a test of a day
 * with a bad network is a row in a table. The driver (download_actions.c) carries out the actions
 * and reports their results.
 *
 *	queued ▶ [waiting-peer] ▶ discovering ▶ downloading ▶ finishing ▶ complete
 *	                               ▲             │
 *	                               └ waiting-retry ◀┘
 *	any unfinished ▶ paused ▶ (resume) queued          any unfinished ▶ cancelled, failed
 *	downloading ▶ discovering: a source must not be asked any more
 *	finishing ▶ discovering: the file was damaged on disk, and some of it is fetched again
 *	checking: after a power cut, the pieces in the journal are hashed first
 *	waiting-peer: the nodes of a router download in sequence, and the other one is first
 *
 * Calling sequence: engine_init -> engine_set_sources -> engine_step(EVENT_RUN), then a step for
 * each event, and one with EVENT_TICK when engine_next_wake() has come -> engine_release.
 *
 * What the driver owes: for every ACTION_REQUEST one EVENT_REQUEST_ENDED, also after
 * ACTION_CANCEL_REQUEST, and for engine_fill_take() EVENT_FILLED; for ACTION_OPEN EVENT_OPENED, for
 *ACTION_CHECK EVENT_CHECKED, for ACTION_PREPARE EVENT_PREPARED, for ACTION_FINISH EVENT_FINISHED or
 *EVENT_DAMAGED, for ACTION_STATE EVENT_RECORDED, or for any of these EVENT_LOCAL_ERROR; for
 *ACTION_DISCOVER one EVENT_ANSWER for each source that is SOURCE_ASKED, until
 *ACTION_STOP_DISCOVERY. While the state is waiting-peer, EVENT_PEER_HEARD comes again and again,
 *also when the peer does not answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/settings.h"
#include "download/engine/picker.h"
#include "download/engine/source.h"

#define SLOTS_MAX           32 /* requests in flight: the model's limit of concurrency */
/* How long to wait for a better source that has not answered: before anything is fetched, from
 * the first answer on; when a source fails early, from the question on. */
#define DISCOVERY_GRACE_MS  2000u
#define FAILOVER_GRACE_MS   500u
#define RETRY_AFTER_WAIT_MS 60000u /* in all, of an attempt, for sources that say when */
#define RETRY_DELAY_MIN_MS  1000u  /* also with initial-retry-delay 0: there is never a storm */
/* How long to wait for a partner that is the only source and has no more pieces now: it may
 * itself be waiting for us. */
#define PARTNER_PATIENCE_MS 10000u
/* How long a conductor that fetches the image itself, and has nothing new, is waited for where
 * another source could be asked. It is the preferred one, and its line may be slow. */
#define FETCHER_PATIENCE_MS 30000u
/* How long nothing is asked for because it may be filled: what was asked for would come twice. */
#define FILL_GRACE_MS       2000u
#define PEER_ORDER_MS       10000u /* between the arrivals of one order at the two nodes */
#define ENGINE_ERROR_SIZE   1024
#define ENGINE_NEVER        UINT64_MAX

enum engine_state {
	ENGINE_QUEUED,
	ENGINE_WAITING_PEER,
	ENGINE_CHECKING,
	ENGINE_DISCOVERING,
	ENGINE_DOWNLOADING,
	ENGINE_WAITING_RETRY,
	ENGINE_FINISHING,
	ENGINE_COMPLETE,
	ENGINE_PAUSED,
	ENGINE_CANCELLED,
	ENGINE_FAILED,
};

/* From the configuration; may change while a download runs (EVENT_CONFIGURED). */
struct engine_limits {
	uint64_t timeout_ms; /* 0 = none */
	uint32_t attempts;   /* 0 = no limit */
	uint64_t initial_retry_delay_ms;
	uint64_t maximum_retry_delay_ms;
	unsigned concurrency; /* of this download, 1..SLOTS_MAX */
	unsigned window;
	enum pick_order order; /* against sources that are not the HA peer */
	bool follows_peer;     /* in a sequence the HA peer is first */
	uint64_t peer_patience_ms;
};

struct engine_source_spec {
	const char *name; /* copied */
	enum source_kind kind;
	unsigned concurrency; /* requests at once; 0 = no limit of its own */
};

/* What the engine must know of an image. */
struct engine_image {
	uint64_t size; /* bytes */
	uint32_t piece_size;
	const uint8_t *digest; /* DIGEST_SIZE bytes that identify it; borrowed */
};

enum engine_answer {
	ANSWER_HAS_VERSION, /* and a manifest that verifies */
	ANSWER_NO_VERSION,
	ANSWER_FAILED,       /* no index, no manifest */
	ANSWER_BAD_MANIFEST, /* one that does not verify */
	ANSWER_LATER,        /* it is about to fetch the version; another answer will follow */
};

/* Do the nodes of the router download one after the other? */
enum engine_turn {
	TURN_FREE,    /* no: both at once */
	TURN_AWAITED, /* where this one follows its peer */
	TURN_COME,    /* the peer is not waited for any more */
};

/* How the same download stands at the HA peer. */
enum engine_peer {
	PEER_NOTHING, /* no such download, paused, no answer, or none that can be believed */
	PEER_WORKING, /* queued, checking, discovering, downloading, waiting-retry, finishing */
	PEER_HAS_IT,  /* complete, or in its index */
	PEER_GAVE_UP, /* failed, cancelled */
};

/* What is known of a source that has not got the whole image yet. */
enum engine_pieces {
	PIECES_KNOWN,      /* of this image; the bits say which */
	PIECES_NONE,       /* none any more, or nobody knows: see reason */
	PIECES_OF_ANOTHER, /* image: left out of this download */
};

enum engine_event_type {
	EVENT_RUN,           /* a place is free: go on from queued */
	EVENT_TICK,          /* engine_next_wake() has come */
	EVENT_OPENED,        /* opened; engine_set_image() was called if an image was found */
	EVENT_CHECKED,       /* engine_set_image() was called before with what is right */
	EVENT_ANSWER,        /* answer, reason */
	EVENT_PREPARED,      /* engine_set_image() was called before */
	EVENT_WHOLE_OFFERED, /* request: the reply is a 200 with the whole file; its body waits */
	EVENT_ANSWERED,      /* request: the first byte of body has come */
	EVENT_SILENT,        /* request: connected for a while, and no byte of body has come */
	EVENT_PIECE,         /* verified: a piece is right and written */
	EVENT_REQUEST_ENDED, /* ended, reason */
	EVENT_FILLED,        /* filled */
	EVENT_FINISHED,      /* the image is published */
	EVENT_DAMAGED,       /* reason: what is to be published is not what was written: fetch
				it again */
	EVENT_RECORDED,      /* recorded */
	EVENT_LOCAL_ERROR,   /* local_error, reason: our disk, not the source */
	EVENT_PAUSE,         /* reason */
	EVENT_RESUME,        /* go on from paused */
	EVENT_CANCEL,        /* reason */
	EVENT_RESTART,       /* a new request for an ended download: attempts and time begin anew */
	EVENT_CONFIGURED,    /* engine->limits was changed */
	EVENT_SOURCES_FORBIDDEN, /* reason: a source that was asked may not be used any more: ask
				    all anew */
	EVENT_PIECES_CHANGED,    /* pieces, reason */
	EVENT_PEER_HEARD,        /* peer, reason */
	EVENT_COUNT,
};

/* How a request ended. */
struct engine_request_end {
	unsigned slot;
	enum request_outcome outcome;
	uint64_t bytes;    /* of body */
	uint64_t held_end; /* offset up to which the request's bytes are held without a gap */
	uint32_t piece;    /* of REQUEST_BAD_PIECE */
	bool other_file;   /* the reply is of another file, as that of a cache may be */
	uint64_t duration_ms;
	uint64_t retry_after_ms; /* 0 = it did not say */
};

struct engine_event {
	enum engine_event_type type;
	const char *reason; /* borrowed during the step; NULL = none */
	union {
		struct {
			bool unchecked; /* the journal's claims are to be hashed first */
		} opened;
		struct {
			unsigned source;
			enum engine_answer what;
			const uint8_t *digest; /* of the manifest's image; borrowed */
			uint64_t retry_after_ms;
			/* Of a source that fetches the image itself: what it has of it, borrowed
			 * until the next ACTION_DISCOVER; NULL = it has the image. */
			const uint8_t *pieces;
		} answer;
		struct {
			unsigned slot;
		} request;
		struct {
			unsigned slot; /* whose request brought it */
			uint32_t piece;
		} verified;
		struct engine_request_end ended;
		struct {
			uint32_t first; /* as engine_fill_take() returned them */
			uint32_t n;
			uint32_t right; /* one bit each, the first lowest: it is verified */
			const struct byte_range *held; /* bytes of the others, in order, each
							  run within a piece; borrowed */
			size_t n_held;
		} filled;
		struct {
			uint32_t attempt; /* on disk as engine->attempt */
		} recorded;
		struct {
			bool fatal; /* fails instead of pausing */
		} local_error;
		struct {
			unsigned source;
			enum engine_pieces what;
			const uint8_t *bits; /* borrowed until the next ACTION_DISCOVER */
		} pieces;
		struct {
			enum engine_peer how;
		} peer;
	};
};

enum engine_action_type {
	ACTION_STATE,    /* the state was changed: log, tell, persist */
	ACTION_OPEN,     /* look what is on disk, once nothing is in flight */
	ACTION_CHECK,    /* hash what the journal claims */
	ACTION_DISCOVER, /* ask every source that is SOURCE_ASKED; may exchange the list first */
	ACTION_STOP_DISCOVERY,
	ACTION_PREPARE,          /* make room for the image of source's manifest */
	ACTION_REQUEST,          /* slot, source, range, past_caches; whole = without a Range
				    header */
	ACTION_ACCEPT_WHOLE,     /* slot: let the waiting body come */
	ACTION_CANCEL_REQUEST,   /* slot */
	ACTION_SOURCE_LEFT,      /* source became unavailable or excluded: log its reason */
	ACTION_MISMATCH,         /* source, piece, reason: log */
	ACTION_PAST_CACHES,      /* source is asked past caches from now on, reason: log */
	ACTION_FINISH,           /* sync, read back and publish */
	ACTION_PEER_NOT_AWAITED, /* the wait is over, and the peer does not have it: log reason */
};

struct engine_action {
	enum engine_action_type type;
	unsigned source;
	unsigned slot;
	struct byte_range range;
	uint64_t held_behind; /* bytes behind range that are all that its last piece has more, and
				 are on disk; 0 = none */
	bool whole;
	bool past_caches; /* no cache may answer with what it has */
	uint32_t piece;
	enum engine_state state; /* of ACTION_STATE */
	char reason[SOURCE_REASON_SIZE];
};

/* What one step can ask for: each slot cancelled and filled again, each source left, and a few
 * changes of state. */
#define ENGINE_ACTIONS_MAX (2 * SLOTS_MAX + SOURCES_MAX + 16)

struct engine_actions {
	struct engine_action items[ENGINE_ACTIONS_MAX];
	unsigned n;
};

struct engine_slot {
	bool used;
	bool cancelling;
	bool whole;
	bool past_caches;
	bool answered; /* a byte of body has come */
	unsigned source;
	uint64_t began_ms;
	struct byte_range range;
	int beginner;        /* who brought what was held of the first piece */
	unsigned n_verified; /* pieces verified by this request */
};

enum engine_disk {
	DISK_UNKNOWN, /* not looked at yet */
	DISK_OPENING,
	DISK_UNCHECKED, /* opened; what the journal claims is to be hashed */
	DISK_CHECKING,
	DISK_EMPTY, /* nothing there */
	DISK_PREPARING,
	DISK_READY,
};

enum engine_discovery {
	DISCOVERY_OVER,   /* or not begun yet: no answer is taken */
	DISCOVERY_WANTED, /* begins when the last cancelled request has ended */
	DISCOVERY_BEGINS, /* in this step: nobody was asked yet */
	DISCOVERY_RUNS,   /* answers are awaited */
};

struct engine {
	enum engine_state state;
	enum engine_disk disk;
	struct engine_limits limits;
	char error[ENGINE_ERROR_SIZE]; /* why paused or failed, or why the last attempt ended */

	struct source sources[SOURCES_MAX]; /* in order of preference */
	unsigned n_sources;
	int active;  /* the source asked, an index or SOURCE_NOBODY */
	int partner; /* one that has only some pieces, asked beside it; likewise */

	bool has_image;
	bool was_damaged;            /* once: the second time is told, and pauses */
	uint8_t digest[DIGEST_SIZE]; /* of the image */
	struct picker picker;
	struct engine_slot slots[SLOTS_MAX];
	unsigned in_flight; /* used slots, the cancelling ones too */
	uint64_t ended_ms;  /* when the last request ended, or downloading began */

	enum engine_discovery discovery;
	uint64_t asked_ms;                         /* when this attempt's discovery began */
	uint64_t grace_until_ms;                   /* 0 = not running */
	uint8_t answers[SOURCES_MAX][DIGEST_SIZE]; /* of sources that have the version */

	uint32_t attempt;          /* the one that runs, or comes next; 1 = the first */
	uint32_t recorded_attempt; /* on disk: none begins that a kill would forget */
	uint64_t used_ms;          /* of the timeout */
	uint64_t last_ms;          /* when used_ms was last true */
	uint64_t retry_at_ms;
	uint64_t retry_not_before_ms; /* what Retry-After asked for while discovering */
	uint64_t waited_ms;           /* of RETRY_AFTER_WAIT_MS in this attempt */
	bool waiting;                 /* for the only source, as Retry-After asked */
	enum engine_turn turn;
	bool peer_missed;       /* the last that was heard of it is PEER_NOTHING */
	bool peer_has_worked;   /* it was PEER_WORKING since the wait began */
	uint64_t peer_heard_ms; /* when it was last PEER_WORKING, or the wait began */
	uint64_t bytes_fetched;
	bool fill_expected;     /* it is not known yet what can be filled */
	uint64_t fill_until_ms; /* nothing is asked for until then, if it is so */
	uint32_t n_filling;     /* pieces that are being filled: until EVENT_FILLED */
	uint64_t bytes_reused;  /* of verified pieces: filled from what the node has */
	uint64_t seed;          /* of the retry delay's jitter */
};

void engine_init(struct engine *e, const struct engine_limits *limits, uint64_t seed,
		 uint64_t now_ms);
void engine_release(struct engine *e);

/* Exchange the list; only before EVENT_RUN and while performing ACTION_DISCOVER. Sources of the
 * same name and kind keep their counters and their exclusion. */
void engine_set_sources(struct engine *e, const struct engine_source_spec *specs, unsigned n);

/* Tell which image is on disk and which of its pieces are verified (copied). -ENOMEM. */
int engine_set_image(struct engine *e, const struct engine_image *image, const uint8_t *verified);

/* There is no image on disk, or none any more; while nothing is in flight. */
void engine_forget_image(struct engine *e);

void engine_step(struct engine *e, const struct engine_event *event, uint64_t now_ms,
		 struct engine_actions *ret_actions);

/* Body bytes arrived for a slot: counted, nothing decided. */
void engine_count_received(struct engine *e, unsigned slot, uint64_t bytes);

/* Bytes that an earlier run of the daemon received from a source, of those restored. */
void engine_count_recovered(struct engine *e, unsigned source, uint64_t bytes);

/* A download of an earlier run of the daemon: where it stood. A running state becomes queued. */
void engine_restore(struct engine *e, enum engine_state state, uint32_t attempt, uint64_t used_ms,
		    uint64_t bytes_fetched, const char *error);

/* Whether the nodes download in sequence, and whether this one's turn has come already; before
 * EVENT_RUN or EVENT_RESTART. */
void engine_set_turn(struct engine *e, enum engine_turn turn);

/* A source's counters and exclusion of an earlier run; before engine_set_sources(). */
void engine_restore_source(struct engine *e, const struct source *source);

/* Will it soon be known which pieces can be filled? Until then, at most FILL_GRACE_MS from the
 * beginning, nothing is asked for. When it becomes false EVENT_TICK is due. */
void engine_fill_expect(struct engine *e, bool expected);

/* Pieces of which bytes can be filled from what the node has are not asked for, from now on (one
 * bit each; copied). -ENOMEM: they are. */
int engine_fill_begin(struct engine *e, const uint8_t *pieces);
/* The next of them, at most FILL_PIECES_MAX in a row. Nobody else touches them until EVENT_FILLED,
 * which is due. Returns how many; 0 = none is left. */
#define FILL_PIECES_MAX 32u
uint32_t engine_fill_take(struct engine *e, uint32_t max, uint32_t *ret_first);
/* What is still to be filled is asked for after all. */
void engine_fill_end(struct engine *e);

/* How long a request may be silent that fetches all before at a cache; 0 = as any other. */
uint64_t engine_patience_ms(const struct engine *e, unsigned slot);

/* When EVENT_TICK is due; ENGINE_NEVER = an event will come first. */
uint64_t engine_next_wake(const struct engine *e);

/* When the timeout ends the download if it goes on as now; ENGINE_NEVER without timeout. */
uint64_t engine_deadline(const struct engine *e, uint64_t now_ms);

const char *engine_state_name(enum engine_state state);
/* false = no state of that name; *ret is then untouched. */
bool engine_state_from_name(const char *name, enum engine_state *ret);
bool engine_state_is_ended(enum engine_state state);   /* complete, cancelled, failed */
bool engine_state_is_running(enum engine_state state); /* takes one of the two places */
