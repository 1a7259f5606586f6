/* SPDX-License-Identifier: GPL-3.0-or-later */
/* member.h - members of the daemon's answers; "" and 0 for what is not there or null. */
#pragma once

#include <cjson/cJSON.h>

static inline const char *member_text(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));

	return text ? text : "";
}

static inline double member_number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}
