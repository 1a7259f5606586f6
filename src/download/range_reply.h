/* SPDX-License-Identifier: GPL-3.0-or-later */
/* range_reply.h - is a reply what was asked for? Its head, and its end.
 *
 * Pure. The head is judged when the headers arrive, before any byte of body is taken: libcurl
 * itself would accept a 200 or a shifted 206 for a range and report success (docs/download.md,
 * "Fetch").
 */
#pragma once

#include <stdbool.h>

#include "download/engine/picker.h"
#include "download/engine/source.h"
#include "http/http_client.h"

enum reply_verdict {
	REPLY_TAKEN,       /* what was asked for */
	REPLY_WHOLE_FILE,  /* a 200 with the whole file, though a range was asked for */
	REPLY_REFUSED,     /* the source is not to be asked again in this attempt */
	REPLY_LIED,        /* likewise: not the range that was asked for */
	REPLY_RETRY_AFTER, /* the source says when */
	REPLY_BUSY,        /* likewise, but it does not say when */
	REPLY_ERROR,       /* another status of 5xx */
	REPLY_FAILED,      /* any other status */
};

/* Would a cache answer so that has another file than the source, or was told that there is none? */
bool range_reply_is_of_another_file(const struct http_head *head, uint64_t size);

/* size: of the whole file, bytes. whole: no range was asked for. reason is filled unless the
 * verdict is REPLY_TAKEN. */
enum reply_verdict range_reply_judge(const struct http_head *head, const struct byte_range *range,
				     uint64_t size, bool whole, char reason[SOURCE_REASON_SIZE]);

/* What came of the body that the head promised. */
enum reply_body {
	BODY_COMPLETE,
	BODY_OF_A_PART, /* likewise, but the head promised less than was asked for */
	BODY_SHORT,
};

/* What a request's end says of its source, unless it was ended by us (HTTP_ABORTED,
 * HTTP_CANCELLED). reason is filled unless that is REQUEST_OK. */
enum request_outcome range_reply_ended(const struct http_result *result, enum reply_body body,
				       char reason[SOURCE_REASON_SIZE]);
