/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/url_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN "?..."

/* Returns how long the rest of the URL is; text is what follows its scheme. None of these
 * characters may be in a URL. */
static size_t rest_of_url(const char *text)
{
	return strcspn(text, " \t\r\n\"");
}

char *url_queries_hide(const char *text)
{
	/* Each query has at least one character, and four take its place: so this is room enough.
	 */
	char *hidden = malloc(4 * strlen(text) + 1);
	char *to = hidden;

	while (hidden && *text) {
		const char *scheme = strstr(text, "://");
		size_t before = scheme ? (size_t)(scheme - text) + 3 : strlen(text);
		const char *question = NULL;
		size_t rest;

		memcpy(to, text, before);
		to += before;
		text += before;
		rest = scheme ? rest_of_url(text) : 0;
		question = memchr(text, '?', rest);
		memcpy(to, text, question ? (size_t)(question - text) : rest);
		to += question ? (size_t)(question - text) : rest;
		text += rest;
		if (question) {
			memcpy(to, HIDDEN, strlen(HIDDEN));
			to += strlen(HIDDEN);
		}
	}
	if (hidden)
		*to = '\0';
	return hidden;
}

void url_queries_hide_in(struct err *err)
{
	char *hidden = err ? url_queries_hide(err->text) : NULL;

	if (err)
		(void)snprintf(err->text, sizeof(err->text), "%s", hidden ? hidden : "");
	free(hidden);
}
