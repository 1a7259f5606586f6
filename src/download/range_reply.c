/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/range_reply.h"

#include <inttypes.h>
#include <stdio.h>

#define SAY(...) (void)snprintf(reason, SOURCE_REASON_SIZE, __VA_ARGS__)

static enum reply_verdict judge_partial(const struct http_head *head,
					const struct byte_range *range, uint64_t size,
					char reason[SOURCE_REASON_SIZE])
{
	if (head->range_state != RANGE_VALID) {
		SAY("HTTP 206 without a readable Content-Range");
		return REPLY_LIED;
	}
	/* A server may reply with a part of the range (RFC 9110, 15.3.7). */
	if (head->range_first != range->first || head->range_last > range->end - 1) {
		SAY("wrong range: asked for bytes %" PRIu64 "-%" PRIu64 ", got %" PRIu64
		    "-%" PRIu64,
		    range->first, range->end - 1, head->range_first, head->range_last);
		return REPLY_LIED;
	}
	if (head->range_has_total && head->range_total != size) {
		SAY("wrong total in Content-Range: the manifest says %" PRIu64
		    " bytes, the source %" PRIu64,
		    size, head->range_total);
		return REPLY_LIED;
	}
	if (head->has_length && head->length != head->range_last - head->range_first + 1) {
		SAY("wrong length: Content-Range has %" PRIu64 " bytes, Content-Length is %" PRIu64,
		    head->range_last - head->range_first + 1, head->length);
		return REPLY_LIED;
	}
	return REPLY_TAKEN;
}

static enum reply_verdict judge_whole(const struct http_head *head, uint64_t size, bool whole,
				      char reason[SOURCE_REASON_SIZE])
{
	if (head->is_html) {
		SAY("HTTP 200 with a page of HTML instead of the image: somebody on the way, as a "
		    "captive portal, answers in its place");
		return whole ? REPLY_REFUSED : REPLY_LIED;
	}
	/* If the head names no length, the body is measured when it has come. */
	if (head->has_length && head->length != size) {
		SAY("HTTP 200 with %" PRIu64 " bytes, the file has %" PRIu64, head->length, size);
		return whole ? REPLY_REFUSED : REPLY_LIED;
	}
	if (whole)
		return REPLY_TAKEN;
	SAY("serves no ranges");
	return REPLY_WHOLE_FILE;
}

bool range_reply_is_of_another_file(const struct http_head *head, uint64_t size)
{
	switch (head->status) {
	case 200:
		return head->has_length && head->length != size && !head->encoded && !head->is_html;
	case 206:
		return !head->encoded && head->range_state == RANGE_VALID &&
		       head->range_has_total && head->range_total != size;
	case 404:
	case 410:
	case 416:
		return true;
	default:
		return false;
	}
}

enum reply_verdict range_reply_judge(const struct http_head *head, const struct byte_range *range,
				     uint64_t size, bool whole, char reason[SOURCE_REASON_SIZE])
{
	if ((head->status == 200 || head->status == 206) && head->encoded) {
		SAY("Content-Encoding %s, expected none", head->encoding);
		return whole ? REPLY_REFUSED : REPLY_LIED;
	}
	switch (head->status) {
	case 206:
		if (!whole)
			return judge_partial(head, range, size, reason);
		SAY("HTTP 206, but no range was asked for");
		return REPLY_REFUSED;
	case 200:
		return judge_whole(head, size, whole, reason);
	case 401:
	case 403:
	case 404:
	case 416:
		SAY("HTTP %d", head->status);
		return REPLY_REFUSED;
	case 511:
		SAY("%s", HTTP_HEAD_511);
		return REPLY_REFUSED;
	case 429:
	case 503:
		if (head->retry_after_s >= 0) {
			SAY("HTTP %d, to be asked again in %" PRId64 " s", head->status,
			    head->retry_after_s);
			return REPLY_RETRY_AFTER;
		}
		SAY("HTTP %d", head->status);
		return REPLY_BUSY;
	default:
		break;
	}
	SAY("HTTP %d", head->status);
	return head->status >= 500 ? REPLY_ERROR : REPLY_FAILED;
}

static enum request_outcome judge_body(enum reply_body body, char reason[SOURCE_REASON_SIZE])
{
	switch (body) {
	case BODY_COMPLETE:
		return REQUEST_OK;
	case BODY_OF_A_PART:
		SAY("brought less than was asked for");
		return REQUEST_CUT;
	case BODY_SHORT:
		break;
	}
	SAY("the reply ended early");
	return REQUEST_CUT;
}

enum request_outcome range_reply_ended(const struct http_result *result, enum reply_body body,
				       char reason[SOURCE_REASON_SIZE])
{
	if (result->outcome == HTTP_DONE)
		return judge_body(body, reason);
	SAY("%s", result->err.text);
	switch (result->outcome) {
	case HTTP_CUT:
		return REQUEST_CUT;
	case HTTP_PROXY_REFUSED:
	case HTTP_REDIRECT_FAILED: /* the next request would be redirected in the same way */
		return REQUEST_REFUSED;
	case HTTP_CONNECT_FAILED:
		return REQUEST_UNREACHED;
	case HTTP_LOCAL_ERROR:
		/* A certificate or password file of this source: it fails, our disk does not. */
	case HTTP_RESOLVE_FAILED:
	case HTTP_TLS_FAILED:
	case HTTP_PROTOCOL_ERROR:
		return REQUEST_FAILED;
	case HTTP_DONE:
	case HTTP_ABORTED:
	case HTTP_CANCELLED:
		break;
	}
	return REQUEST_NEUTRAL;
}
