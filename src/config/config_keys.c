/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_keys.h"

#include <stdio.h>

#define KEY_SIZE 64
#define FORMS    CONFIG_KEY_FORMS

/* Days as nobody writes them, others for each position. */
static void days_of_ours(char text[KEY_SIZE], unsigned position)
{
	size_t used = 0;

	for (unsigned bit = 0; bit < 12; bit++)
		used += (size_t)snprintf(text + used, KEY_SIZE - used, "%s%s", bit ? "," : "",
					 position & (1u << bit) ? "mon" : "sun");
}

/* Some value that no other entry has: the first form that the key's type takes. */
static cJSON *key_of_ours(unsigned form, unsigned position)
{
	char text[KEY_SIZE];

	switch (form) {
	case 0:
		(void)snprintf(text, sizeof(text), "without-name-%u", position);
		break;
	case 1:
		(void)snprintf(text, sizeof(text), "::%x", position);
		break;
	case 2:
		return cJSON_CreateNumber(position);
	case 3:
		days_of_ours(text, position);
		break;
	default:
		(void)snprintf(text, sizeof(text), "%02u:%02u", position / 60 % 24, position % 60);
		break;
	}
	return cJSON_CreateString(text);
}

cJSON *config_keys_of_ours(const struct lysc_node *list, unsigned forms, unsigned position)
{
	cJSON *keys = cJSON_CreateObject();
	const struct lysc_node *key = NULL;

	while ((key = lys_getnext(key, list, NULL, 0)) && lysc_is_key(key)) {
		cJSON_AddItemToObject(keys, key->name, key_of_ours(forms % FORMS, position));
		forms /= FORMS;
	}
	return keys;
}
