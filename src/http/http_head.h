/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_head.h - what the head of an HTTP reply says about the things that we use. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* RFC 6585, 6: the status is for captive portals alone. */
#define HTTP_HEAD_511                                                                              \
	"HTTP 511: a captive portal on the way wants a login before it lets anybody through"

struct http_head {
	int status;
	bool has_length;
	uint64_t length; /* Content-Length, bytes */
	enum { RANGE_ABSENT, RANGE_VALID, RANGE_GARBAGE } range_state;
	uint64_t range_first; /* Content-Range: first and last byte, both included */
	uint64_t range_last;
	bool range_has_total;
	uint64_t range_total;
	bool encoded;      /* a Content-Encoding that changes bytes */
	char encoding[32]; /* what it said, for messages */
	bool has_location;
	bool is_html;          /* its Content-Type */
	int64_t date_s;        /* the reply's own clock, Unix seconds; -1 = not told */
	int64_t retry_at_s;    /* Retry-After as a date, by that clock; -1 = none */
	int64_t retry_after_s; /* seconds from now; -1 = absent or unreadable; dates are converted
				*/
};

void http_head_reset(struct http_head *head);

/* Take one header line, with or without its line end; names are compared without case, what is
 * not known is passed over. now_s: Unix seconds, for a Retry-After that is a date. */
void http_head_add_line(struct http_head *head, struct span line, int64_t now_s);
