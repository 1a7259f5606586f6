#include "core/http_head.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/macros.h"
#include "core/printable.h"

void http_head_reset(struct http_head *head)
{
	memset(head, 0, sizeof(*head));
	head->retry_after_s = -1;
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

static void read_retry_after(struct http_head *head, struct span value, int64_t now_s)
{
	struct span rest = value;
	uint64_t seconds;
	char date[64];
	time_t at;

	if (take_number(&rest, &seconds) && rest.size == 0) {
		head->retry_after_s = (int64_t)MIN(seconds, UINT32_MAX);
		return;
	}
	(void)snprintf(date, sizeof(date), "%.*s", (int)MIN(value.size, sizeof(date) - 1),
		       (const char *)value.bytes);
	at = curl_getdate(date, NULL);
	if (at != -1)
		head->retry_after_s = MIN(MAX((int64_t)at - now_s, 0), (int64_t)UINT32_MAX);
}

static void read_encoding(struct http_head *head, struct span value)
{
	char raw[sizeof(head->encoding)];

	if (value.size == 0 ||
	    (value.size == 8 && strncasecmp((const char *)value.bytes, "identity", 8) == 0))
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
	} else if (is_named(name, "Location")) {
		head->has_location = value.size > 0;
	}
}
