/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/openapi.h"

#include "base/embed.h"
#include "node/node.h"

EMBED_FILE(openapi_node, OPENAPI_NODE_FILE);

/* Both are objects. What both have must be objects, too, and is joined likewise: a path or a schema
 * stands in one of them. */
static bool join(cJSON *to, cJSON *from)
{
	cJSON *item;

	while ((item = from->child)) {
		cJSON *same = cJSON_GetObjectItemCaseSensitive(to, item->string);

		(void)cJSON_DetachItemViaPointer(from, item);
		if (!same && cJSON_AddItemToObject(to, item->string, item))
			continue;
		if (!same || !cJSON_IsObject(same) || !cJSON_IsObject(item) || !join(same, item)) {
			cJSON_Delete(item);
			return false;
		}
		cJSON_Delete(item);
	}
	return true;
}

cJSON *openapi_join(const char *more)
{
	cJSON *json = cJSON_Parse(openapi_node);
	cJSON *added = cJSON_Parse(more ? more : "{}");
	const bool joined = json && added && join(json, added);

	cJSON_Delete(added);
	if (joined)
		return json;
	cJSON_Delete(json);
	return NULL;
}

void openapi_reply(const struct node *n, struct http_exchange *x)
{
	cJSON *json = openapi_join(n->program->openapi);
	cJSON *about = cJSON_GetObjectItemCaseSensitive(json, "info");

	if (!json || !cJSON_ReplaceItemInObjectCaseSensitive(about, "version",
							     cJSON_CreateString(STEWARD_VERSION))) {
		cJSON_Delete(json);
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	http_reply_json(x, 200, json);
}
