/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/kept_contents.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define TITLE     "steward-contents 1"
#define HEX_SIZE  (2 * (size_t)KEPT_DIGEST_SIZE)
#define HEAD_SIZE (sizeof(TITLE) + HEX_SIZE + 1) /* "title hex\n" */
#define ABSENT    "absent"

static bool state_equal(const struct kept_state *a, const struct kept_state *b)
{
	return a->is_there == b->is_there &&
	       (!a->is_there || memcmp(a->digest, b->digest, KEPT_DIGEST_SIZE) == 0);
}

bool kept_contents_allow(const struct kept_contents *c, const char *name,
			 const struct kept_state *found)
{
	bool is_named = false;

	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->lines[i].name, name) != 0)
			continue;
		if (state_equal(&c->lines[i].state, found))
			return true;
		is_named = true;
	}
	return !is_named && !found->is_there;
}

static void add(struct kept_contents *c, const char *name, const struct kept_state *state)
{
	struct kept_line *line = &c->lines[c->n++];

	(void)snprintf(line->name, sizeof(line->name), "%s", name);
	line->state = *state;
}

int kept_contents_set(struct kept_contents *c, const char *name, const struct kept_state *is,
		      const struct kept_state * or)
{
	struct kept_contents after = {0};

	if (strlen(name) >= KEPT_NAME_SIZE)
		return -ENOSPC;
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->lines[i].name, name) != 0)
			after.lines[after.n++] = c->lines[i];
	if (after.n + 2 > KEPT_LINES_MAX)
		return -ENOSPC;
	/* A file without a line counts as absent, so that needs no line. */
	if (is->is_there || or)
		add(&after, name, is);
	if (or)
		add(&after, name, or);
	*c = after;
	return 0;
}

static int mac_of(struct span lines, const char *directory, const uint8_t key[KEPT_KEY_SIZE],
		  uint8_t ret[KEPT_DIGEST_SIZE])
{
	char text[KEPT_CONTENTS_SIZE_MAX + sizeof(TITLE) + PATH_MAX];
	size_t size = sizeof(TITLE);
	unsigned length = 0;

	if (strlen(directory) >= PATH_MAX || lines.size > KEPT_CONTENTS_SIZE_MAX)
		return -EBADMSG;
	memcpy(text, TITLE, sizeof(TITLE));
	memcpy(text + size, directory, strlen(directory) + 1);
	size += strlen(directory) + 1;
	memcpy(text + size, lines.bytes, lines.size);
	size += lines.size;
	return HMAC(EVP_sha256(), key, KEPT_KEY_SIZE, (const uint8_t *)text, size, ret, &length)
		       ? 0
		       : -ENOMEM;
}

/* The text is authentic by now, and is nevertheless read with care. */
static bool parse_line(struct kept_contents *c, const char *line, size_t size)
{
	const char *space = memchr(line, ' ', size);
	const size_t first = space ? (size_t)(space - line) : 0;
	const size_t rest = space ? size - first - 1 : 0;
	char hex[HEX_SIZE + 1] = "";
	struct kept_line *ret = &c->lines[c->n];
	size_t decoded;

	if (first > HEX_SIZE || rest == 0 || rest >= KEPT_NAME_SIZE || c->n == KEPT_LINES_MAX)
		return false;
	memcpy(hex, line, first);
	memcpy(ret->name, space + 1, rest);
	c->n++;
	if (strcmp(hex, ABSENT) == 0)
		return true;
	ret->state.is_there = true;
	return hex_decode(hex, KEPT_DIGEST_SIZE, KEPT_DIGEST_SIZE, ret->state.digest, &decoded) ==
	       0;
}

static int parse_lines(struct kept_contents *ret, struct span lines)
{
	struct kept_contents c = {0};
	const char *at = (const char *)lines.bytes;
	size_t left = lines.size;

	while (left > 0) {
		const char *end = memchr(at, '\n', left);

		if (!end || !parse_line(&c, at, (size_t)(end - at)))
			return -EBADMSG;
		left -= (size_t)(end - at) + 1;
		at = end + 1;
	}
	*ret = c;
	return 0;
}

int kept_contents_parse(struct kept_contents *ret, struct span text, const char *directory,
			const uint8_t key[KEPT_KEY_SIZE])
{
	uint8_t expected[KEPT_DIGEST_SIZE];
	uint8_t found[KEPT_DIGEST_SIZE];
	char hex[HEX_SIZE + 1] = "";
	struct span lines;
	size_t size;
	int rc;

	if (text.size < HEAD_SIZE || memcmp(text.bytes, TITLE " ", sizeof(TITLE)) != 0 ||
	    text.bytes[HEAD_SIZE - 1] != '\n')
		return -EBADMSG;
	memcpy(hex, text.bytes + sizeof(TITLE), HEX_SIZE);
	if (hex_decode(hex, KEPT_DIGEST_SIZE, KEPT_DIGEST_SIZE, found, &size) < 0)
		return -EBADMSG;
	lines = span_of(text.bytes + HEAD_SIZE, text.size - HEAD_SIZE);
	rc = mac_of(lines, directory, key, expected);
	if (rc < 0)
		return rc;
	return CRYPTO_memcmp(found, expected, sizeof(found)) == 0 ? parse_lines(ret, lines)
								  : -EBADMSG;
}

int kept_contents_print(const struct kept_contents *c, const char *directory,
			const uint8_t key[KEPT_KEY_SIZE], char ret[KEPT_CONTENTS_SIZE_MAX])
{
	_Static_assert(HEAD_SIZE + KEPT_LINES_MAX * (HEX_SIZE + KEPT_NAME_SIZE + 1) <
			       KEPT_CONTENTS_SIZE_MAX,
		       "room for all lines");
	uint8_t mac[KEPT_DIGEST_SIZE];
	char hex[HEX_SIZE + 1];
	size_t size = HEAD_SIZE;
	int rc;

	ret[size] = '\0';
	for (size_t i = 0; i < c->n; i++) {
		const struct kept_line *line = &c->lines[i];

		hex_encode(span_of(line->state.digest, KEPT_DIGEST_SIZE), hex);
		size += (size_t)snprintf(ret + size, KEPT_CONTENTS_SIZE_MAX - size, "%s %s\n",
					 line->state.is_there ? hex : ABSENT, line->name);
	}
	rc = mac_of(span_of(ret + HEAD_SIZE, size - HEAD_SIZE), directory, key, mac);
	if (rc < 0)
		return rc;
	hex_encode(span_of(mac, sizeof(mac)), hex);
	memcpy(ret, TITLE " ", sizeof(TITLE));
	memcpy(ret + sizeof(TITLE), hex, HEX_SIZE);
	ret[HEAD_SIZE - 1] = '\n';
	return 0;
}
