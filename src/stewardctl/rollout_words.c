/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/rollout_words.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"

struct words {
	cJSON *json;
	int n;
	char *const *each;
	int at; /* the next one */
	int64_t now_s;
	char *message;
	size_t size;
};

static int complain(const struct words *w, const char *expected, const char *found)
{
	(void)snprintf(w->message, w->size, "expected %s, found '%s'", expected,
		       found ? found : "nothing more");
	return -1;
}

static const char *take(struct words *w)
{
	return w->at < w->n ? w->each[w->at++] : NULL;
}

static int read_text(struct words *w, const char *keyword)
{
	const char *value = take(w);

	if (!value)
		return complain(w, keyword, value);
	(void)cJSON_AddStringToObject(w->json, keyword, value);
	return 0;
}

static int read_number(struct words *w, const char *keyword)
{
	const char *value = take(w);
	char *end = NULL;
	double number = value ? strtod(value, &end) : 0;

	if (!value || end == value || *end)
		return complain(w, "a number", value);
	(void)cJSON_AddNumberToObject(w->json, keyword, number);
	return 0;
}

static int read_yes(struct words *w, const char *keyword)
{
	const char *value = take(w);
	bool is_yes = value && strcmp(value, "yes") == 0;

	if (!is_yes && (!value || strcmp(value, "no") != 0))
		return complain(w, "yes or no", value);
	(void)cJSON_AddBoolToObject(w->json, keyword, is_yes);
	return 0;
}

static int read_flag(struct words *w, const char *keyword)
{
	(void)cJSON_AddTrueToObject(w->json, keyword);
	return 0;
}

/* "1,5%,25%" */
static int read_list(struct words *w, const char *keyword)
{
	const char *value = take(w);
	cJSON *array;

	if (!value)
		return complain(w, "phases such as 1,5%,25%", value);
	array = cJSON_AddArrayToObject(w->json, keyword);
	for (;;) {
		char text[16];
		size_t length = strcspn(value, ",");

		(void)snprintf(text, sizeof(text), "%.*s", (int)MIN(length, sizeof(text) - 1),
			       value);
		(void)cJSON_AddItemToArray(array, cJSON_CreateString(text));
		if (!value[length])
			return 0;
		value += length + 1;
	}
}

/* "2026-12-01T05:00" in UTC, or "12h" from now. */
static int read_time(struct words *w, const char *keyword)
{
	static const char units[] = "mhd";
	static const int64_t seconds[] = {60, 3600, 86400};
	const char *value = take(w);
	struct tm tm = {0};
	char *end = value ? strptime(value, "%Y-%m-%dT%H:%M", &tm) : NULL;
	const char *unit;
	long number;

	if (end && (!*end || strcmp(end, "Z") == 0)) {
		(void)cJSON_AddNumberToObject(w->json, keyword, (double)timegm(&tm));
		return 0;
	}
	number = value ? strtol(value, &end, 10) : 0;
	unit = value && *end ? strchr(units, *end) : NULL;
	if (!unit || end[1] || number < 1 || number > 100000)
		return complain(w, "a time such as 2026-12-01T05:00 (UTC), or 12h", value);
	(void)cJSON_AddNumberToObject(w->json, keyword,
				      (double)(w->now_s + number * seconds[unit - units]));
	return 0;
}

static cJSON *get_selector(struct words *w)
{
	cJSON *selector = cJSON_GetObjectItem(w->json, "selector");

	return selector ? selector : cJSON_AddObjectToObject(w->json, "selector");
}

static int read_all(struct words *w, const char *keyword)
{
	(void)cJSON_AddTrueToObject(get_selector(w), keyword);
	return 0;
}

static bool is_keyword(const char *word);

/* All names up to the next keyword; the first one whatever it is. */
static int read_routers(struct words *w, const char *keyword)
{
	cJSON *selector = get_selector(w);
	cJSON *array = cJSON_GetObjectItem(selector, "routers");
	const char *name = take(w);

	if (!name)
		return complain(w, keyword, name);
	if (!array)
		array = cJSON_AddArrayToObject(selector, "routers");
	(void)cJSON_AddItemToArray(array, cJSON_CreateString(name));
	while (w->at < w->n && !is_keyword(w->each[w->at]))
		(void)cJSON_AddItemToArray(array, cJSON_CreateString(take(w)));
	return 0;
}

static int read_label(struct words *w, const char *keyword)
{
	cJSON *selector = get_selector(w);
	cJSON *labels = cJSON_GetObjectItem(selector, "labels");
	const char *name = take(w);
	const char *value = take(w);

	if (!value)
		return complain(w, "label NAME VALUE", value);
	if (!labels)
		labels = cJSON_AddObjectToObject(selector, "labels");
	if (cJSON_GetObjectItemCaseSensitive(labels, name)) {
		(void)snprintf(w->message, w->size, "'%s %s' stands twice", keyword, name);
		return -1;
	}
	(void)cJSON_AddStringToObject(labels, name, value);
	return 0;
}

/* DAYS FROM-TO [ZONE], once or more often. */
static int read_window(struct words *w, const char *keyword)
{
	cJSON *array = cJSON_GetObjectItem(w->json, keyword);
	const char *days = take(w);
	const char *times = take(w);
	const char *dash = times ? strchr(times, '-') : NULL;
	cJSON *item;
	char from[16];

	if (!dash || (size_t)(dash - times) >= sizeof(from))
		return complain(w, "hours such as mon-fri 22:00-05:00", times);
	(void)snprintf(from, sizeof(from), "%.*s", (int)(dash - times), times);
	if (!array)
		array = cJSON_AddArrayToObject(w->json, keyword);
	item = cJSON_CreateObject();
	(void)cJSON_AddStringToObject(item, "days", days);
	(void)cJSON_AddStringToObject(item, "from", from);
	(void)cJSON_AddStringToObject(item, "to", dash + 1);
	(void)cJSON_AddItemToArray(array, item);
	if (w->at < w->n && !is_keyword(w->each[w->at]) && !cJSON_GetObjectItem(w->json, "zone"))
		(void)cJSON_AddStringToObject(w->json, "zone", take(w));
	return 0;
}

static const struct keyword {
	const char *word;
	int (*read)(struct words *w, const char *keyword);
	bool repeats;
} keywords[] = {
	{"version", read_text, false},   {"all", read_all, true},
	{"router", read_routers, true},  {"label", read_label, true},
	{"phases", read_list, false},    {"parallel", read_number, false},
	{"failures", read_text, false},  {"soak", read_number, false},
	{"approve", read_yes, false},    {"window", read_window, true},
	{"spread", read_text, false},    {"finish", read_yes, false},
	{"sequenced", read_flag, false}, {"deadline", read_time, false},
};

static const struct keyword *find_keyword(const char *word)
{
	for (size_t i = 0; i < N_ELEMENTS(keywords); i++)
		if (strcmp(keywords[i].word, word) == 0)
			return &keywords[i];
	return NULL;
}

static bool is_keyword(const char *word)
{
	return find_keyword(word);
}

int rollout_words_read(cJSON *json, int n, char *const *words, int64_t now_s, char *message,
		       size_t size)
{
	struct words w = {.json = json,
			  .n = n,
			  .each = words,
			  .now_s = now_s,
			  .message = message,
			  .size = size};

	while (w.at < n) {
		const char *word = take(&w);
		const struct keyword *keyword = find_keyword(word);

		if (!keyword)
			return complain(&w,
					"version, all, router, label, phases, parallel, failures, "
					"soak, approve, window, spread, finish, sequenced or "
					"deadline",
					word);
		if (!keyword->repeats && cJSON_GetObjectItem(json, word)) {
			(void)snprintf(message, size, "'%s' stands twice", word);
			return -1;
		}
		if (keyword->read(&w, keyword->word) < 0)
			return -1;
	}
	if (!cJSON_GetObjectItem(json, "version"))
		return complain(&w, "version V", NULL);
	if (!cJSON_GetObjectItem(json, "selector"))
		return complain(&w, "all, router R... or label NAME VALUE", NULL);
	return 0;
}
