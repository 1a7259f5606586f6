/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transfer.h - carries out one request of the engine, from the first byte asked for to the last
 * byte written.
 *
 * Body bytes are copied once, from libcurl's buffer into a block of 256 KiB. A full block goes to
 * the thread pool, where it is hashed and written; only one block of a transfer at a time, since
 * the hash continues from block to block. A piece whose digest is right is reported at once; a
 * piece whose digest is wrong ends the transfer. What arrived before an end, a cut or a
 * cancellation is hashed and written too.
 *
 * Calling sequence: transfer_start -> (transfer_accept_whole) -> ended, exactly once, and never
 * inside transfer_start or transfer_cancel. Then the struct may be used again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/work.h"
#include "download/engine/picker.h"
#include "download/engine/source.h"
#include "download/image/image_file.h"
#include "download/image/manifest.h"
#include "download/range_reply.h"
#include "download/receive_buffers.h"
#include "http/http_client.h"

struct transfer;

struct transfer_end {
	enum request_outcome outcome;
	uint64_t bytes;    /* of body, received */
	uint64_t held_end; /* offset up to which bytes are held without a gap */
	uint32_t piece;    /* of REQUEST_BAD_PIECE */
	uint64_t duration_ms;
	uint64_t retry_after_ms;
	char reason[SOURCE_REASON_SIZE];
	bool other_file; /* the reply is of another file than the manifest */
	bool local;      /* our disk or memory failed; reason says how */
	int local_code;  /* negative errno */
};

struct transfer_callbacks {
	void (*answered)(struct transfer *t);       /* the first byte of body is there */
	void (*silent)(struct transfer *t);         /* each second in which it still is not */
	uint32_t (*patience_s)(struct transfer *t); /* how long it may be silent; 0 = no longer
						       than it may stall */
	void (*received)(struct transfer *t, uint64_t bytes);
	void (*verified)(struct transfer *t, uint32_t piece);
	void (*whole_offered)(struct transfer *t);
	void (*ended)(struct transfer *t, const struct transfer_end *end);
};

/* What a download's transfers share; outlives them, and does not change: the thread pool reads it.
 */
struct transfer_target {
	uv_loop_t *loop;
	struct http_client *client;
	struct receive_buffers *buffers;
	const struct manifest *manifest;
	struct image_file *file;
	const struct picker *picker; /* a whole file skips what it holds */
	const struct transfer_callbacks *callbacks;
};

struct transfer_request {
	const char *url;
	const struct http_access *access;
	struct byte_range range;
	uint64_t held_behind; /* the rest of the last piece, which is on disk; 0 = it is not */
	bool whole;
	bool unlimited; /* exempt from the bandwidth limit */
	uint32_t stall_timeout_s;
	enum http_caching caching;
};

struct transfer {
	const struct transfer_target *target;
	struct http_request *request; /* NULL = its done came */
	struct transfer_request asked;
	uint64_t position;    /* of the next byte to arrive */
	size_t offered_again; /* bytes taken before a pause, which libcurl offers once more */
	uint64_t started_ms;
	struct transfer_end end;
	bool is_part;    /* the reply is a part of what was asked for */
	bool offered;    /* a whole file waits for the engine's word */
	bool answered;   /* a byte of body has come */
	bool throttled;  /* held back by us in this second */
	unsigned slow_s; /* seconds in a row under 1 KiB/s */
	uint64_t bytes_at_tick;

	struct block *filling;
	struct block *queue; /* full, oldest first */
	struct receive_buffers_waiter waiter;
	struct work work;
	struct block *writing; /* the blocks that the thread pool has; NULL = none */
	uint64_t written_end;  /* the thread pool's: behind the last byte that it has written */
	struct image_pieces pieces;
};

void transfer_start(struct transfer *t, const struct transfer_target *target,
		    const struct transfer_request *request);
void transfer_accept_whole(struct transfer *t);
void transfer_cancel(struct transfer *t);

/* To be called once a second. A transfer that is slower than 1 KiB/s for stall_timeout_s seconds
 * ends as stalled; seconds in which we hold it back ourselves do not count. */
void transfer_tick(struct transfer *t);
