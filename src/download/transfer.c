/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/transfer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define STALL_BYTES_PER_S 1024
#define SILENT_S          3u /* without a byte, until the engine is told */

static void write_next(struct transfer *t);

static void say(struct transfer *t, enum request_outcome outcome, const char *reason)
{
	t->end.outcome = outcome;
	(void)snprintf(t->end.reason, sizeof(t->end.reason), "%s", reason);
}

static void queue_filling(struct transfer *t)
{
	struct block **last = &t->queue;

	if (!t->filling)
		return;
	while (*last)
		last = &(*last)->next;
	*last = t->filling;
	t->filling = NULL;
	receive_buffers_fill_block(t->target->buffers);
}

static void drop_blocks(struct transfer *t)
{
	queue_filling(t);
	while (t->queue) {
		struct block *block = t->queue;

		t->queue = block->next;
		receive_buffers_give_block(t->target->buffers, block);
	}
}

static void end_if_done(struct transfer *t)
{
	struct transfer_end end;

	if (t->request || t->writing || t->queue)
		return;
	receive_buffers_leave(t->target->buffers, &t->waiter);
	image_pieces_release(&t->pieces);
	t->end.duration_ms = uv_now(t->target->loop) - t->started_ms;
	end = t->end;
	t->target->callbacks->ended(t, &end);
}

/* Ends the request, and drops the bytes that were not written yet. */
static void give_up(struct transfer *t)
{
	drop_blocks(t);
	if (t->request)
		http_request_cancel(t->request);
}

static void fail_locally(struct transfer *t, int code, const char *reason)
{
	t->end.local = true;
	t->end.local_code = code;
	say(t, REQUEST_NEUTRAL, reason);
	give_up(t);
}

static void take_bad_piece(struct transfer *t)
{
	uint64_t first = manifest_piece_first(t->target->manifest, t->pieces.wrong);

	t->end.held_end = MAX(first, t->asked.range.first);
	t->end.piece = t->pieces.wrong;
	say(t, REQUEST_BAD_PIECE, t->pieces.err.text);
	give_up(t);
}

static void give_back(struct transfer *t, struct block *first)
{
	while (first) {
		struct block *block = first;

		first = block->next;
		receive_buffers_give_block(t->target->buffers, block);
	}
}

static void on_blocks_written(struct work *work)
{
	struct transfer *t = container_of(work, struct transfer, work);
	struct block *written = t->writing;

	t->writing = NULL;
	t->end.held_end = t->written_end;
	for (unsigned i = 0; i < t->pieces.n_right; i++)
		t->target->callbacks->verified(t, t->pieces.right[i]);
	if (t->pieces.mismatch)
		take_bad_piece(t);
	else if (t->pieces.err.code < 0)
		fail_locally(t, t->pieces.err.code, t->pieces.err.text);
	give_back(t, written);
	write_next(t);
	end_if_done(t);
}

static void write_blocks(struct work *work)
{
	struct transfer *t = container_of(work, struct transfer, work);

	t->pieces.n_right = 0;
	for (const struct block *block = t->writing; block; block = block->next) {
		image_file_write_on(t->target->file, t->target->manifest, block->offset,
				    span_of(block->bytes, block->size), &t->pieces);
		if (t->pieces.err.code < 0)
			return;
		t->written_end = block->offset + block->size;
	}
}

/* Hands the thread pool as many blocks at once as are there: each hand-over costs two changes of
 * threads. */
static void write_next(struct transfer *t)
{
	struct block **end = &t->queue;

	if (t->writing || !t->queue)
		return;
	for (unsigned n = 0; n < IMAGE_WRITES_MAX && *end; n++)
		end = &(*end)->next;
	t->writing = t->queue;
	t->queue = *end;
	*end = NULL;
	work_submit(t->target->loop, &t->work, write_blocks, on_blocks_written);
}

/* How many bytes from position on can be treated alike: skipped, because we hold them already
 * (*ret_held), or taken. */
static uint64_t run_at(const struct transfer *t, uint64_t position, bool *ret_held)
{
	uint32_t piece_size = t->target->manifest->piece_size;
	uint32_t piece = (uint32_t)(position / piece_size);

	if (!t->asked.whole) {
		*ret_held = false;
		return t->asked.range.end - position;
	}
	*ret_held = picker_has(t->target->picker, piece);
	return piece_size - position % piece_size;
}

static bool has_room(struct transfer *t)
{
	if (t->filling)
		return true;
	t->filling = receive_buffers_take_block(t->target->buffers, &t->waiter);
	if (!t->filling)
		return false;
	t->filling->offset = t->position;
	return true;
}

/* Copy into blocks as much as there is room for. Returns the bytes taken. */
static size_t take_bytes(struct transfer *t, struct span bytes)
{
	size_t taken = 0;

	while (taken < bytes.size) {
		bool held;
		size_t n = (size_t)MIN(run_at(t, t->position, &held), bytes.size - taken);

		if (held) {
			queue_filling(t);
		} else if (has_room(t)) {
			n = MIN(n, BLOCK_SIZE - t->filling->size);
			memcpy(t->filling->bytes + t->filling->size, bytes.bytes + taken, n);
			t->filling->size += (uint32_t)n;
		} else {
			break;
		}
		taken += n;
		t->position += n;
		if (t->filling && t->filling->size == BLOCK_SIZE)
			queue_filling(t);
	}
	write_next(t);
	return taken;
}

/* Takes bytes that libcurl has not offered before. */
static int take_new(struct transfer *t, struct span bytes, size_t *ret_taken)
{
	struct receive_buffers *buffers = t->target->buffers;

	if (bytes.size > t->asked.range.end - t->position) {
		say(t, t->asked.whole ? REQUEST_REFUSED : REQUEST_LIED,
		    "a body longer than asked for");
		return -EMSGSIZE;
	}
	if (!t->asked.unlimited && !receive_buffers_admits(buffers, &t->waiter))
		return HTTP_PAUSE;
	*ret_taken = take_bytes(t, bytes);
	t->end.bytes += *ret_taken;
	if (!t->asked.unlimited)
		receive_buffers_spend(buffers, *ret_taken);
	t->target->callbacks->received(t, *ret_taken);
	return *ret_taken == bytes.size ? 0 : HTTP_PAUSE;
}

static int on_body(struct http_request *request, struct span bytes, void *owner)
{
	struct transfer *t = owner;
	size_t known = MIN(t->offered_again, bytes.size);
	size_t taken = 0;
	int rc;

	(void)request;
	if (t->offered)
		return HTTP_PAUSE;
	if (!t->answered) {
		t->answered = true;
		t->target->callbacks->answered(t);
	}
	t->offered_again -= known;
	if (known == bytes.size)
		return 0;
	rc = take_new(t, span_of(bytes.bytes + known, bytes.size - known), &taken);
	if (rc == HTTP_PAUSE) {
		t->offered_again = known + taken;
		t->throttled = true;
	}
	return rc;
}

static void on_ready(struct receive_buffers_waiter *waiter)
{
	struct transfer *t = container_of(waiter, struct transfer, waiter);

	if (t->request)
		http_request_resume(t->request);
}

/* A server may send only a part of the range. Then the transfer expects no more than that part. */
static void take_part(struct transfer *t, const struct http_head *head)
{
	if (t->asked.whole || head->range_state != RANGE_VALID ||
	    head->range_last + 1 >= t->asked.range.end)
		return;
	t->asked.range.end = head->range_last + 1;
	t->is_part = true;
}

static int on_headers(struct http_request *request, const struct http_head *head, void *owner)
{
	struct transfer *t = owner;
	char reason[SOURCE_REASON_SIZE];

	(void)request;
	t->end.other_file = range_reply_is_of_another_file(head, t->target->manifest->size);
	switch (range_reply_judge(head, &t->asked.range, t->target->manifest->size, t->asked.whole,
				  reason)) {
	case REPLY_TAKEN:
		take_part(t, head);
		return 0;
	case REPLY_WHOLE_FILE:
		t->offered = true;
		t->target->callbacks->whole_offered(t);
		return 0;
	case REPLY_REFUSED:
		say(t, REQUEST_REFUSED, reason);
		return -EPROTO;
	case REPLY_LIED:
		say(t, REQUEST_LIED, reason);
		return -EPROTO;
	case REPLY_RETRY_AFTER:
		t->end.retry_after_ms = (uint64_t)head->retry_after_s * 1000;
		say(t, REQUEST_RETRY_AFTER, reason);
		return -EAGAIN;
	case REPLY_BUSY:
		say(t, REQUEST_BUSY, reason);
		return -EAGAIN;
	case REPLY_ERROR:
		say(t, REQUEST_ERROR, reason);
		return -EIO;
	case REPLY_FAILED:
		say(t, REQUEST_FAILED, reason);
		return -EIO;
	}
	return -EPROTO;
}

void transfer_accept_whole(struct transfer *t)
{
	assert(t->offered);
	t->offered = false;
	t->asked.whole = true;
	t->asked.range = (struct byte_range){.first = 0, .end = t->target->manifest->size};
	http_request_resume(t->request);
}

static enum reply_body body_of(const struct transfer *t)
{
	if (t->position != t->asked.range.end)
		return BODY_SHORT;
	return t->is_part ? BODY_OF_A_PART : BODY_COMPLETE;
}

static void judge_result(struct transfer *t, const struct http_result *result)
{
	char reason[SOURCE_REASON_SIZE] = "";
	enum request_outcome outcome;

	if (result->outcome == HTTP_ABORTED || result->outcome == HTTP_CANCELLED)
		return; /* whoever ended the request has set the outcome */
	outcome = range_reply_ended(result, body_of(t), reason);
	say(t, outcome, reason);
}

static void on_request_done(struct http_request *request, const struct http_result *result,
			    void *owner)
{
	struct transfer *t = owner;

	(void)request;
	t->request = NULL;
	if (t->end.outcome != REQUEST_BAD_PIECE && !t->end.local) {
		judge_result(t, result);
		queue_filling(t);
	}
	receive_buffers_leave(t->target->buffers, &t->waiter);
	write_next(t);
	end_if_done(t);
}

void transfer_cancel(struct transfer *t)
{
	if (!t->request || t->end.outcome != REQUEST_OK)
		return;
	say(t, REQUEST_NEUTRAL, "cancelled");
	http_request_cancel(t->request);
}

void transfer_tick(struct transfer *t)
{
	uint64_t received = t->end.bytes - t->bytes_at_tick;
	char reason[SOURCE_REASON_SIZE];

	t->bytes_at_tick = t->end.bytes;
	if (!t->request || t->throttled || t->offered || !http_request_is_connected(t->request)) {
		t->throttled = t->waiter.waiting;
		return;
	}
	t->slow_s = received < STALL_BYTES_PER_S ? t->slow_s + 1 : 0;
	if (!t->answered && t->slow_s >= MIN(SILENT_S, MAX(t->asked.stall_timeout_s / 2, 1)))
		t->target->callbacks->silent(t);
	if (t->slow_s < t->asked.stall_timeout_s || t->end.outcome != REQUEST_OK)
		return;
	if (!t->answered && t->slow_s < t->target->callbacks->patience_s(t))
		return;
	(void)snprintf(reason, sizeof(reason), "stalled: under %d bytes a second for %u s",
		       STALL_BYTES_PER_S, t->slow_s);
	say(t, REQUEST_STALLED, reason);
	http_request_cancel(t->request);
}

static const struct http_request_callbacks http_callbacks = {
	.headers = on_headers,
	.body = on_body,
	.done = on_request_done,
};

static void do_nothing(struct work *work)
{
	(void)work;
}

static void on_not_started(struct work *work)
{
	struct transfer *t = container_of(work, struct transfer, work);

	fail_locally(t, -ENOMEM, "out of memory");
	end_if_done(t);
}

void transfer_start(struct transfer *t, const struct transfer_target *target,
		    const struct transfer_request *request)
{
	struct http_get get = {
		.url = request->url,
		.access = request->access,
		.has_range = !request->whole,
		.caching = request->caching,
		.first = request->range.first,
		.last = request->range.end - 1,
		.callbacks = http_callbacks,
		.owner = t,
	};

	memset(t, 0, sizeof(*t));
	t->target = target;
	t->asked = *request;
	t->position = request->range.first;
	t->end.held_end = request->range.first;
	t->written_end = request->range.first;
	t->pieces.held_from = request->held_behind ? request->range.end : 0;
	t->started_ms = uv_now(target->loop);
	t->waiter.ready = on_ready;
	if (http_client_get(target->client, &get, &t->request) < 0)
		work_submit(target->loop, &t->work, do_nothing, on_not_started);
}
