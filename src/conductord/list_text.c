/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/list_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define ROOM_AT_FIRST 4096u

static int append(struct list_text *list, const char *text, struct err *err)
{
	const size_t size = strlen(text);
	size_t room = list->room > 0 ? list->room : ROOM_AT_FIRST;
	char *larger;

	while (room <= list->size + size)
		room *= 2;
	if (room > list->room) {
		larger = realloc(list->text, room);
		if (!larger)
			return err_set(err, -ENOMEM, "out of memory after %zu rows", list->n);
		list->text = larger;
		list->room = room;
	}
	memcpy(list->text + list->size, text, size + 1);
	list->size += size;
	return 0;
}

static int append_json(struct list_text *list, cJSON *json, struct err *err)
{
	char *text = json ? cJSON_PrintUnformatted(json) : NULL;
	int rc = append(list, text ? text : "null", err);

	cJSON_Delete(json);
	free(text);
	return text ? rc : err_set(err, -ENOMEM, "out of memory after %zu rows", list->n);
}

int list_text_begin(struct list_text *list, const char *member, struct err *err)
{
	int rc;

	*list = (struct list_text){0};
	rc = append(list, "{\"", err);
	if (rc == 0)
		rc = append(list, member, err);
	return rc == 0 ? append(list, "\":[", err) : rc;
}

int list_text_add(struct list_text *list, cJSON *item, struct err *err)
{
	int rc = list->n > 0 ? append(list, ",", err) : 0;

	if (rc < 0) {
		cJSON_Delete(item);
		return rc;
	}
	list->n++;
	return append_json(list, item, err);
}

int list_text_end(struct list_text *list, const char *member, cJSON *second, struct err *err)
{
	int rc = append(list, member ? "],\"" : "]}", err);

	if (rc == 0 && member)
		rc = append(list, member, err);
	if (rc == 0 && member)
		rc = append(list, "\":", err);
	if (rc < 0 || !member) {
		cJSON_Delete(second);
		return rc;
	}
	rc = append_json(list, second, err);
	return rc == 0 ? append(list, "}", err) : rc;
}

void list_text_release(struct list_text *list)
{
	free(list->text);
	*list = (struct list_text){0};
}
