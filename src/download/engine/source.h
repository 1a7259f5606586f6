/* SPDX-License-Identifier: GPL-3.0-or-later */
/* source.h - where an image can come from, and whether that source can be trusted to deliver.
 *
 * Pure. A source is broken when more than half of its last requests (a window) failed
 * (docs/download.md, "Judge"). It stays so until source_begin_attempt(). A source that lied about
 * the image is excluded for the whole download.
 *
 * Calling sequence: source_init -> source_begin_attempt -> source_record ... ; no resources.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"
#include "download/engine/allowance.h"

/* Each mirror is one: the model allows 60, and two conductors and a peer. */
#define SOURCES_MAX        64
#define SOURCE_NAME_SIZE   72 /* "<name>/<number>" of a mirror */
#define SOURCE_REASON_SIZE 384

#define PROBE_BYTES       (64u << 10)  /* a source's first request in an attempt */
#define CUT_SUCCESS_BYTES (256u << 10) /* a cut request that brought this much did its work */
#define REQUEST_BYTES_MAX (64u << 20)
#define REQUEST_AIM_MS    4000u /* how long a request should last at the present rate */
#define REQUEST_GROWTH    4u    /* a burst tells little: no request is more than so much longer */

enum source_state {
	SOURCE_ASKED, /* not answered yet in this attempt */
	SOURCE_AVAILABLE,
	SOURCE_UNAVAILABLE, /* gave no answer that can be used: see reason */
	SOURCE_BROKEN,      /* its requests failed, so it is not used again in this attempt: see
			       reason */
	SOURCE_EXCLUDED,    /* not used again for this download: see reason */
	SOURCE_NO_VERSION,  /* answered, and does not have the version */
};

enum request_outcome {
	REQUEST_OK,
	REQUEST_CUT,         /* the reply ended before its length */
	REQUEST_FAILED,      /* TLS, or any other status without special meaning */
	REQUEST_UNREACHED,   /* no connection */
	REQUEST_BUSY,        /* 429 or 503 that does not say when */
	REQUEST_ERROR,       /* another status of 5xx */
	REQUEST_STALLED,     /* under 1 KiB/s for stall-timeout */
	REQUEST_BAD_PIECE,   /* ended at a piece whose digest is wrong */
	REQUEST_REFUSED,     /* 401, 403, 404, 416, or not the whole file that was asked for */
	REQUEST_LIED,        /* not the range that was asked for */
	REQUEST_RETRY_AFTER, /* 429 or 503 that says when */
	REQUEST_NEUTRAL,     /* says nothing about the source: cancelled, or our own trouble */
};

/* How its requests went in this attempt. */
enum source_conduct {
	CONDUCT_UNKNOWN,  /* none has ended yet */
	CONDUCT_DELIVERS, /* the last one succeeded */
	CONDUCT_STUMBLES, /* the last one failed, but one succeeded before */
	CONDUCT_FAILS,    /* all failed */
};

struct source_window {
	unsigned size;    /* requests looked back on, 2..64 */
	uint64_t history; /* one bit a request, newest lowest, 1 = failed */
};

struct source {
	char name[SOURCE_NAME_SIZE];
	enum source_kind kind;
	enum source_state state;
	char reason[SOURCE_REASON_SIZE]; /* of the state; "" = none */

	struct source_window window;
	bool no_range; /* is asked only for the whole file: it serves no ranges, or wrong ones */
	enum source_conduct conduct;
	unsigned asked_again;   /* requests made while it fails and no other source is left */
	uint64_t skip_until_ms; /* what Retry-After asked for */
	uint64_t rest_until_ms; /* until when it rests: it fails, and no other source is left */
	struct allowance allowance;
	uint64_t length_limit; /* bytes a request may ask for, after a cut; 0 = no limit */
	uint64_t rate;         /* bytes a second of one request, smoothed; 0 = unknown */
	uint64_t most;         /* bytes that one request brought */
	uint64_t whole_end;    /* where its last whole file was cut; whole download; 0 = never */
	bool whole_stuck;      /* cut there twice: it brings no more */
	bool past_caches;    /* a piece did not match, perhaps because of a cache: ask past caches;
				whole download */
	unsigned mismatches; /* pieces it brought alone that did not match; whole download */
	const uint8_t *pieces; /* bitmap of what it has, borrowed; NULL = it has the image */
	bool fetches; /* a conductor that fetches the image for us: it has only those pieces yet */

	uint64_t requests; /* whole download, as are the next two */
	uint64_t failures;
	uint64_t bytes;
};

void source_init(struct source *s, const char *name, enum source_kind kind);

/* Fresh window, and nothing is known of its pieces; excluded stays excluded, and no-range stays
 * known. */
void source_begin_attempt(struct source *s, unsigned window);

/* The download is asked for again after it ended: what it knew of the source is forgotten. */
void source_begin_anew(struct source *s);

/* Count one finished request that brought bytes. piece_size decides what a cut is worth.
 * Returns the state it leaves the source in. */
enum source_state source_record(struct source *s, enum request_outcome outcome, uint64_t bytes,
				uint32_t piece_size);

/* Note how fast a request was. */
void source_note_rate(struct source *s, uint64_t bytes, uint64_t duration_ms);

/* How many bytes the next request should ask for, before rounding to pieces. */
uint64_t source_request_length(const struct source *s);

/* How long a source rests that fails and is the only one left. */
uint64_t source_backoff_ms(const struct source *s);

void source_set_state(struct source *s, enum source_state state, const char *reason);

/* Did a request succeed in this attempt? */
bool source_is_proven(const struct source *s);

/* Did the last request that ended fail? */
bool source_fails(const struct source *s);

/* Has it answered that it has the version, and may it be asked in this attempt? */
bool source_is_usable(const struct source *s);
