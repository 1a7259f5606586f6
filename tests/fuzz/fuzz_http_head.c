/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head of a reply, and what is made of it: asked for were bytes 1000-1999 of 10000. */
#include "fuzz.h"

#include "download/range_reply.h"
#include "http/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct byte_range range = {.first = 1000, .end = 2000};
	char reason[SOURCE_REASON_SIZE] = "";
	struct http_head head;
	enum reply_verdict verdict;

	http_head_reset(&head);
	head.status = size > 0 && bytes[0] % 2 ? 206 : 200;
	while (size > 0) {
		const uint8_t *end = memchr(bytes, '\n', size);
		size_t line = end ? (size_t)(end - bytes) + 1 : size;

		http_head_add_line(&head, span_of(bytes, line), 1700000000);
		bytes += line;
		size -= line;
	}
	HOLDS(head.retry_after_s >= -1 && head.retry_after_s <= (int64_t)UINT32_MAX);
	HOLDS(strlen(head.encoding) < sizeof(head.encoding));
	if (head.range_state == RANGE_VALID)
		HOLDS(head.range_first <= head.range_last);
	verdict = range_reply_judge(&head, &range, 10000, false, reason);
	HOLDS((verdict == REPLY_TAKEN) == (reason[0] == '\0'));
	if (verdict == REPLY_TAKEN)
		HOLDS(head.range_first == 1000 && head.range_last == 1999 && !head.encoded);
	return 0;
}
