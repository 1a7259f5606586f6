/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_head.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"
#include "base/printable.h"

void http_head_reset(struct http_head *head)
{
	memset(head, 0, sizeof(*head));
	head->retry_after_s = -1;
	head->date_s = -1;
	head->retry_at_s = -1;
}

static struct span trim(struct span text)
{
	while (text.size > 0 && strchr(" \t", text.bytes[0])) {
		text.bytes++;
		text.size--;
	}
	while (text.size > 0 && strchr(" \t\r\n", text.bytes[text.size - 1]))
		text.size--;
	return text;
}

static bool take_char(struct span *text, char c)
{
	if (text->size == 0 || text->bytes[0] != (uint8_t)c)
		return false;
	text->bytes++;
	text->size--;
	return true;
}

/* Decimal digits, at least one, that fit 64 bits. */
static bool take_number(struct span *text, uint64_t *ret)
{
	uint64_t value = 0;
	size_t n = 0;

	while (n < text->size && text->bytes[n] >= '0' && text->bytes[n] <= '9') {
		unsigned digit = text->bytes[n] - (unsigned)'0';

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
		n++;
	}
	if (n == 0)
		return false;
	text->bytes += n;
	text->size -= n;
	*ret = value;
	return true;
}

/* "bytes 0-99/1234" or "bytes 0-99/\*" (RFC 9110, 14.4). */
static void read_range(struct http_head *head, struct span value)
{
	bool good;

	head->range_state = RANGE_GARBAGE;
	if (value.size < 6 || strncasecmp((const char *)value.bytes, "bytes ", 6) != 0)
		return;
	value = trim(span_of(value.bytes + 6, value.size - 6));
	good = take_number(&value, &head->range_first) && take_char(&value, '-') &&
	       take_number(&value, &head->range_last) && take_char(&value, '/');
	if (!good || head->range_last < head->range_first)
		return;
	head->range_has_total = !take_char(&value, '*');
	if (head->range_has_total &&
	    (!take_number(&value, &head->range_total) || head->range_last >= head->range_total))
		return;
	if (value.size == 0)
		head->range_state = RANGE_VALID;
}

static int64_t read_date(struct span value)
{
	char date[64];

	(void)snprintf(date, sizeof(date), "%.*s", (int)MIN(value.size, sizeof(date) - 1),
		       (const char *)value.bytes);
	return (int64_t)curl_getdate(date, NULL);
}

/* A date in Retry-After is by the server's clock. That clock or ours may be wrong, so only the
 * difference to the reply's own date counts. */
static void convert_retry_at(struct http_head *head, int64_t now_s)
{
	int64_t from = head->date_s >= 0 ? head->date_s : now_s;

	if (head->retry_at_s >= 0)
		head->retry_after_s = MIN(MAX(head->retry_at_s - from, 0), (int64_t)UINT32_MAX);
}

static void read_retry_after(struct http_head *head, struct span value, int64_t now_s)
{
	struct span rest = value;
	uint64_t seconds;

	if (take_number(&rest, &seconds) && rest.size == 0) {
		head->retry_after_s = (int64_t)MIN(seconds, UINT32_MAX);
		return;
	}
	head->retry_at_s = read_date(value);
	convert_retry_at(head, now_s);
}

/* Values of Content-Encoding that some servers send although the bytes are not encoded: a store
 * repeats what the upload said, or a charset is in the wrong header. If the bytes were encoded
 * after all, their digest is wrong.
 */
static bool is_plain(struct span name)
{
	static const char *const plain[] = {"identity", "aws-chunked", "utf-8", "utf8",
					    "binary",   "none",        ""};

	for (size_t i = 0; i < N_ELEMENTS(plain); i++)
		if (name.size == strlen(plain[i]) &&
		    (name.size == 0 ||
		     strncasecmp((const char *)name.bytes, plain[i], name.size) == 0))
			return true;
	return false;
}

static bool are_all_plain(struct span list)
{
	while (list.size > 0) {
		const uint8_t *comma = memchr(list.bytes, ',', list.size);
		size_t n = comma ? (size_t)(comma - list.bytes) : list.size;

		if (!is_plain(trim(span_of(list.bytes, n))))
			return false;
		n += comma ? 1 : 0;
		list = span_of(list.bytes + n, list.size - n);
	}
	return true;
}

static void read_encoding(struct http_head *head, struct span value)
{
	char raw[sizeof(head->encoding)];

	if (are_all_plain(value))
		return;
	head->encoded = true;
	(void)snprintf(raw, sizeof(raw), "%.*s", (int)MIN(value.size, sizeof(raw) - 1),
		       (const char *)value.bytes);
	printable_copy(raw, head->encoding, sizeof(head->encoding));
}

static bool is_named(struct span name, const char *expected)
{
	return name.size == strlen(expected) &&
	       strncasecmp((const char *)name.bytes, expected, name.size) == 0;
}

void http_head_add_line(struct http_head *head, struct span line, int64_t now_s)
{
	const uint8_t *colon = line.size ? memchr(line.bytes, ':', line.size) : NULL;
	struct span name;
	struct span value;

	if (!colon)
		return;
	name = span_of(line.bytes, (size_t)(colon - line.bytes));
	value = trim(span_of(colon + 1, line.size - name.size - 1));
	if (is_named(name, "Content-Range")) {
		read_range(head, value);
	} else if (is_named(name, "Content-Length")) {
		head->has_length = take_number(&value, &head->length) && value.size == 0;
	} else if (is_named(name, "Content-Encoding")) {
		read_encoding(head, value);
	} else if (is_named(name, "Retry-After")) {
		read_retry_after(head, value, now_s);
	} else if (is_named(name, "Date")) {
		head->date_s = read_date(value);
		convert_retry_at(head, now_s);
	} else if (is_named(name, "Content-Type")) {
		head->is_html = value.size >= 9 &&
				strncasecmp((const char *)value.bytes, "text/html", 9) == 0;
	} else if (is_named(name, "Location")) {
		head->has_location = value.size > 0;
	}
}
