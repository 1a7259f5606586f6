/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/history_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"

static cJSON *point_to_json(const struct history *h, const struct history_point *point)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *bytes;

	cJSON_AddNumberToObject(json, "at", (double)point->at_s);
	bytes = cJSON_AddArrayToObject(json, "bytes");
	for (unsigned i = 0; i < h->n_sources; i++)
		cJSON_AddItemToArray(bytes, cJSON_CreateNumber((double)point->bytes[i]));
	cJSON_AddNumberToObject(json, "failures", (double)point->failures);
	return json;
}

static void add_text_or_null(cJSON *json, const char *name, const char *text)
{
	if (text[0])
		cJSON_AddStringToObject(json, name, text);
	else
		cJSON_AddNullToObject(json, name);
}

static cJSON *mark_to_json(const struct history_mark *mark)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "at", (double)mark->at_s);
	cJSON_AddStringToObject(json, "kind", history_kind_name(mark->kind));
	add_text_or_null(json, "source", mark->source);
	add_text_or_null(json, "reason", mark->reason);
	return json;
}

cJSON *history_to_json(const struct history *h)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *array;

	cJSON_AddNumberToObject(json, "resolution", h->resolution_s);
	array = cJSON_AddArrayToObject(json, "sources");
	for (unsigned i = 0; i < h->n_sources; i++)
		cJSON_AddItemToArray(array, cJSON_CreateString(h->sources[i]));
	array = cJSON_AddArrayToObject(json, "points");
	for (size_t i = 0; i < h->n_points; i++)
		cJSON_AddItemToArray(array, point_to_json(h, &h->points[i]));
	array = cJSON_AddArrayToObject(json, "marks");
	for (size_t i = 0; i < h->n_marks; i++)
		cJSON_AddItemToArray(array, mark_to_json(&h->marks[i]));
	cJSON_AddNumberToObject(json, "older-marks", (double)h->older_marks);
	return json;
}

static int read_resolution(struct history *h, const cJSON *json, struct err *err)
{
	uint64_t resolution;
	int rc = json_get_uint(json, "resolution", HISTORY_RESOLUTION_MAX, &resolution, err);

	if (rc < 0)
		return rc;
	if (resolution == 0 || (resolution & (resolution - 1)) != 0)
		return err_set(err, -EBADMSG, "\"resolution\": expected a power of two, found %u",
			       (unsigned)resolution);
	h->resolution_s = (uint32_t)resolution;
	return json_get_uint(json, "older-marks", HISTORY_COUNT_MAX, &h->older_marks, err);
}

static int read_sources(struct history *h, const cJSON *json, struct err *err)
{
	const cJSON *array;
	const cJSON *item;
	int rc = json_get_array(json, "sources", &array, err);

	if (rc < 0)
		return rc;
	if (cJSON_GetArraySize(array) > (int)HISTORY_SOURCES_MAX)
		return err_set(err, -EBADMSG, "\"sources\": expected at most %u of them",
			       HISTORY_SOURCES_MAX);
	cJSON_ArrayForEach (item, array) {
		const char *name = cJSON_GetStringValue(item);

		if (!name || !name[0] || strlen(name) >= SOURCE_NAME_SIZE)
			return err_set(err, -EBADMSG,
				       "\"sources\": expected names of 1 to %d bytes",
				       SOURCE_NAME_SIZE - 1);
		(void)snprintf(h->sources[h->n_sources++], SOURCE_NAME_SIZE, "%s", name);
	}
	return 0;
}

static int read_bytes(struct history_point *point, unsigned n_sources, const cJSON *json,
		      struct err *err)
{
	const cJSON *array;
	const cJSON *item;
	unsigned i = 0;
	int rc = json_get_array(json, "bytes", &array, err);

	if (rc < 0)
		return rc;
	if (cJSON_GetArraySize(array) != (int)n_sources)
		return err_set(err, -EBADMSG, "\"bytes\": expected %u numbers, one a source",
			       n_sources);
	cJSON_ArrayForEach (item, array) {
		if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
		    item->valuedouble > (double)HISTORY_COUNT_MAX)
			return err_set(err, -EBADMSG, "\"bytes\": expected numbers of bytes");
		point->bytes[i++] = (uint64_t)item->valuedouble;
	}
	return 0;
}

static int read_time(const cJSON *json, int64_t after_s, int64_t *ret, struct err *err)
{
	uint64_t at;
	int rc = json_get_uint(json, "at", HISTORY_AT_MAX, &at, err);

	if (rc < 0)
		return rc;
	if ((int64_t)at <= after_s)
		return err_set(err, -EBADMSG, "\"at\": the times are not in order");
	*ret = (int64_t)at;
	return 0;
}

static int read_point(struct history *h, const cJSON *json, struct err *err)
{
	const int64_t last_s = h->n_points > 0 ? h->points[h->n_points - 1].at_s : -1;
	struct history_point *point = &h->points[h->n_points];
	int rc;

	*point = (struct history_point){0};
	rc = read_time(json, last_s, &point->at_s, err);
	if (rc == 0 && point->at_s % h->resolution_s != 0)
		rc = err_set(err, -EBADMSG, "\"at\": not a multiple of the resolution");
	if (rc == 0)
		rc = read_bytes(point, h->n_sources, json, err);
	if (rc == 0)
		rc = json_get_uint(json, "failures", HISTORY_COUNT_MAX, &point->failures, err);
	if (rc == 0)
		h->n_points++;
	return rc;
}

/* null is "". */
static int read_text(const cJSON *json, const char *name, size_t size, char *ret, struct err *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
	const char *text = "";
	int rc = 0;

	if (!cJSON_IsNull(item))
		rc = json_get_string(json, name, size - 1, &text, err);
	if (rc == 0)
		(void)snprintf(ret, size, "%s", text);
	return rc;
}

static int read_mark(struct history *h, const cJSON *json, struct err *err)
{
	const int64_t last_s = h->n_marks > 0 ? h->marks[h->n_marks - 1].at_s : 0;
	struct history_mark *mark = &h->marks[h->n_marks];
	const char *kind;
	int rc;

	*mark = (struct history_mark){0};
	rc = read_time(json, last_s - 1, &mark->at_s, err);
	if (rc == 0)
		rc = json_get_string(json, "kind", 32, &kind, err);
	if (rc == 0 && !history_kind_from_name(kind, &mark->kind))
		rc = err_set(err, -EBADMSG, "\"kind\": there is none called '%s'", kind);
	if (rc == 0)
		rc = read_text(json, "source", sizeof(mark->source), mark->source, err);
	if (rc == 0)
		rc = read_text(json, "reason", sizeof(mark->reason), mark->reason, err);
	if (rc == 0)
		h->n_marks++;
	return rc;
}

static int read_items(struct history *h, const cJSON *json, const char *name, size_t max,
		      int (*read)(struct history *h, const cJSON *item, struct err *err),
		      struct err *err)
{
	const cJSON *array;
	const cJSON *item;
	int rc = json_get_array(json, name, &array, err);

	if (rc == 0 && (size_t)cJSON_GetArraySize(array) > max)
		rc = err_set(err, -EBADMSG, "\"%s\": expected at most %zu of them", name, max);
	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		rc = read(h, item, err);
		if (rc < 0)
			return err_wrap(err, "\"%s\"", name);
	}
	return 0;
}

static bool reserve_for(struct history *h, const cJSON *json)
{
	const cJSON *points = cJSON_GetObjectItemCaseSensitive(json, "points");
	const cJSON *marks = cJSON_GetObjectItemCaseSensitive(json, "marks");

	return history_reserve(h, MIN((size_t)cJSON_GetArraySize(points), HISTORY_POINTS_MAX),
			       MIN((size_t)cJSON_GetArraySize(marks), HISTORY_MARKS_MAX));
}

int history_parse(struct history *h, struct span text, struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	struct history read;
	int rc = json_parse(&json, text, HISTORY_SIZE_MAX, err);

	if (rc < 0)
		return rc;
	history_init(&read);
	if (!reserve_for(&read, json))
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = read_resolution(&read, json, err);
	if (rc == 0)
		rc = read_sources(&read, json, err);
	if (rc == 0)
		rc = read_items(&read, json, "points", HISTORY_POINTS_MAX, read_point, err);
	if (rc == 0)
		rc = read_items(&read, json, "marks", HISTORY_MARKS_MAX, read_mark, err);
	if (rc < 0) {
		history_release(&read);
		return rc;
	}
	*h = read;
	return 0;
}
