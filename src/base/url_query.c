#include "base/url_query.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

static const cJSON *sources_of(const cJSON *configuration)
{
	return cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(configuration, "software-update"), "source");
}

static bool is_of_hidden(const char *url, const char *hidden)
{
	size_t length = strlen(hidden) - strlen(HIDDEN);

	return url && strncmp(url, hidden, length) == 0 && url[length] == '?';
}

/* Finds the URL of source that was shown as hidden. */
static const char *find_url(const cJSON *source, const char *hidden)
{
	const char *url = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(source, "url"));
	const cJSON *mirror;

	if (is_of_hidden(url, hidden))
		return url;
	cJSON_ArrayForEach (mirror, cJSON_GetObjectItemCaseSensitive(source, "mirror"))
		if (is_of_hidden(cJSON_GetStringValue(mirror), hidden))
			return cJSON_GetStringValue(mirror);
	return NULL;
}

static int restore(cJSON *item, const cJSON *old_source)
{
	const char *shown = cJSON_GetStringValue(item);
	size_t length = shown ? strlen(shown) : 0;
	const char *url;

	if (length < strlen(HIDDEN) || strcmp(shown + length - strlen(HIDDEN), HIDDEN) != 0)
		return 0;
	url = find_url(old_source, shown);
	return !url || cJSON_SetValuestring(item, url) ? 0 : -ENOMEM;
}

static const cJSON *find_source(const cJSON *sources, const cJSON *like)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(like, "name"));
	const cJSON *source;

	cJSON_ArrayForEach (source, sources) {
		const char *other =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(source, "name"));

		if (name && other && strcmp(name, other) == 0)
			return source;
	}
	return NULL;
}

int url_queries_restore(cJSON *configuration, const cJSON *old)
{
	const cJSON *source;
	cJSON *mirror;
	int rc = 0;

	cJSON_ArrayForEach (source, sources_of(configuration)) {
		const cJSON *old_source = find_source(sources_of(old), source);

		rc = rc < 0 ? rc
			    : restore(cJSON_GetObjectItemCaseSensitive(source, "url"), old_source);
		cJSON_ArrayForEach (mirror, cJSON_GetObjectItemCaseSensitive(source, "mirror"))
			rc = rc < 0 ? rc : restore(mirror, old_source);
	}
	return rc;
}
