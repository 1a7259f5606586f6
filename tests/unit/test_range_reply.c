/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reply's head against what was asked for: bytes 1000-1999 of 10000, or the whole file. */
#include "support.h"

#include "base/macros.h"
#include "download/range_reply.h"

static const struct byte_range asked = {.first = 1000, .end = 2000};
static const struct byte_range all = {.first = 0, .end = 10000};

struct row {
	int status;
	const char *lines; /* of the head, separated by '\n' */
	enum reply_verdict verdict;
	const char *reason;
};

static void read_head(struct http_head *ret_head, int status, const char *text)
{
	char lines[256];
	char *rest = lines;
	char *line;

	http_head_reset(ret_head);
	ret_head->status = status;
	(void)snprintf(lines, sizeof(lines), "%s", text);
	while ((line = strsep(&rest, "\n")))
		http_head_add_line(ret_head, span_of_string(line), 0);
}

static void judge(const struct row *row, bool whole)
{
	char reason[SOURCE_REASON_SIZE] = "";
	struct http_head head;
	enum reply_verdict verdict;

	read_head(&head, row->status, row->lines);
	verdict = range_reply_judge(&head, whole ? &all : &asked, 10000, whole, reason);
	if (verdict != row->verdict)
		fail_msg("%d %s: verdict %d, %s", row->status, row->lines, (int)verdict, reason);
	assert_contains(reason, row->reason);
}

static void test_for_a_range(void **state)
{
	static const struct row rows[] = {
		{206, "Content-Range: bytes 1000-1999/10000", REPLY_TAKEN, ""},
		{206, "Content-Range: bytes 1000-1999/*", REPLY_TAKEN, ""},
		{206, "content-range: BYTES 1000-1999/10000\nContent-Length: 1000", REPLY_TAKEN,
		 ""},
		{206, "", REPLY_LIED, "without a readable Content-Range"},
		{206, "Content-Range: bytes garbage", REPLY_LIED, "without a readable"},
		{206, "Content-Range: bytes 999-1998/10000", REPLY_LIED,
		 "wrong range: asked for bytes 1000-1999, got 999-1998"}, /* shifted by one */
		{206, "Content-Range: bytes 1001-2000/10000", REPLY_LIED, "wrong range"},
		{206, "Content-Range: bytes 1000-1998/10000", REPLY_TAKEN, ""}, /* a part of it */
		{206, "Content-Range: bytes 1000-1099/10000\nContent-Length: 100", REPLY_TAKEN, ""},
		{206, "Content-Range: bytes 1000-1099/10000\nContent-Length: 1000", REPLY_LIED,
		 "Content-Length is 1000"},
		{206, "Content-Range: bytes 1000-2000/10000", REPLY_LIED, "wrong range"},
		{206, "Content-Range: bytes 1000-1999/9999", REPLY_LIED,
		 "the manifest says 10000 bytes, the source 9999"},
		{206, "Content-Range: bytes 1000-1999/10000\nContent-Length: 999", REPLY_LIED,
		 "Content-Length is 999"},
		{206, "Content-Range: bytes 1000-1999/10000\nContent-Encoding: gzip", REPLY_LIED,
		 "Content-Encoding gzip, expected none"},
		{206, "Content-Range: bytes 1000-1999/10000\nContent-Encoding: identity",
		 REPLY_TAKEN, ""},
		{200, "Content-Length: 10000", REPLY_WHOLE_FILE, "no ranges"},
		{200, "Content-Length: 9999", REPLY_LIED, "200 with 9999 bytes"}, /* HTML */
		{200, "", REPLY_WHOLE_FILE, "no ranges"},                         /* chunked */
		{200, "Content-Type: text/html; charset=utf-8", REPLY_LIED, "captive portal"},
		{200, "Content-Length: 10000\nContent-Encoding: br", REPLY_LIED, "br"},
		{401, "", REPLY_REFUSED, "HTTP 401"},
		{403, "", REPLY_REFUSED, "HTTP 403"},
		{404, "", REPLY_REFUSED, "HTTP 404"},
		{416, "Content-Range: bytes */900", REPLY_REFUSED, "HTTP 416"},
		{429, "Retry-After: 7", REPLY_RETRY_AFTER, "again in 7 s"},
		{429, "", REPLY_BUSY, "HTTP 429"},
		{429, "Retry-After: soon", REPLY_BUSY, "HTTP 429"},
		{503, "Retry-After: 0", REPLY_RETRY_AFTER, "again in 0 s"},
		{503, "", REPLY_BUSY, "HTTP 503"},
		{500, "Retry-After: 7", REPLY_ERROR, "HTTP 500"}, /* says nothing of it there */
		{509, "", REPLY_ERROR, "HTTP 509"},
		{204, "", REPLY_FAILED, "HTTP 204"},
		{304, "", REPLY_FAILED, "HTTP 304"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		judge(&rows[i], false);
}

static void test_for_the_whole(void **state)
{
	static const struct row rows[] = {
		{200, "Content-Length: 10000", REPLY_TAKEN, ""},
		{200, "Content-Length: 10001", REPLY_REFUSED, "200 with 10001 bytes"},
		{200, "", REPLY_TAKEN, ""},
		{200, "content-type: TEXT/HTML", REPLY_REFUSED, "captive portal"},
		{511, "Content-Type: text/html", REPLY_REFUSED, "captive portal on the way"},
		{206, "Content-Range: bytes 0-9999/10000", REPLY_REFUSED, "no range was asked"},
		{404, "", REPLY_REFUSED, "HTTP 404"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		judge(&rows[i], true);
}

/* What a cache says that has another file than the source. */
static void test_another_file(void **state)
{
	static const struct {
		int status;
		const char *line;
		bool other;
	} rows[] = {
		{206, "Content-Range: bytes 1000-1999/9999", true},
		{206, "Content-Range: bytes 1000-1499/1500", true}, /* it ends there */
		{206, "Content-Range: bytes 1000-1999/10000", false},
		{206, "Content-Range: bytes 1000-1999/*", false},
		{206, "Content-Range: garbage", false},
		{200, "Content-Length: 9999", true},
		{200, "Content-Length: 10000", false},
		{200, "X-Length: none", false},
		{200, "Content-Type: text/html\nContent-Length: 9999", false},
		{200, "Content-Encoding: gzip\nContent-Length: 9999", false},
		{416, "Content-Range: bytes */900", true},
		{404, "Content-Type: text/html", true},
		{410, "", true},
		{401, "", false},
		{403, "", false},
		{500, "", false},
		{503, "", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct http_head head;

		read_head(&head, rows[i].status, rows[i].line);
		if (range_reply_is_of_another_file(&head, 10000) != rows[i].other)
			fail_msg("%d %s", rows[i].status, rows[i].line);
	}
}

static void test_its_end(void **state)
{
	static const struct {
		enum http_outcome end;
		enum reply_body body;
		enum request_outcome outcome;
		const char *reason;
	} rows[] = {
		{HTTP_DONE, BODY_COMPLETE, REQUEST_OK, ""},
		{HTTP_DONE, BODY_OF_A_PART, REQUEST_CUT, "less than was asked for"},
		{HTTP_DONE, BODY_SHORT, REQUEST_CUT, "ended early"},
		{HTTP_CUT, BODY_SHORT, REQUEST_CUT, "why"},
		{HTTP_CUT, BODY_COMPLETE, REQUEST_CUT, "why"},
		{HTTP_PROXY_REFUSED, BODY_SHORT, REQUEST_REFUSED, "why"},
		{HTTP_REDIRECT_FAILED, BODY_SHORT, REQUEST_REFUSED, "why"},
		{HTTP_CONNECT_FAILED, BODY_SHORT, REQUEST_UNREACHED, "why"},
		{HTTP_RESOLVE_FAILED, BODY_SHORT, REQUEST_FAILED, "why"},
		{HTTP_TLS_FAILED, BODY_SHORT, REQUEST_FAILED, "why"},
		{HTTP_PROTOCOL_ERROR, BODY_SHORT, REQUEST_FAILED, "why"},
		{HTTP_LOCAL_ERROR, BODY_SHORT, REQUEST_FAILED, "why"}, /* the source's own file */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct http_result result = {.outcome = rows[i].end, .err.text = "why"};
		char reason[SOURCE_REASON_SIZE] = "";

		if (range_reply_ended(&result, rows[i].body, reason) != rows[i].outcome)
			fail_msg("row %u: %s", i, reason);
		assert_contains(reason, rows[i].reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for_a_range),
		cmocka_unit_test(test_for_the_whole),
		cmocka_unit_test(test_another_file),
		cmocka_unit_test(test_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
