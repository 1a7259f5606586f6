/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/integrity_routes.h"

#include <errno.h>

#include "base/log_events.h"
#include "integrity/policy_store.h"
#include "integrity/recovery.h"
#include "node/node.h"

static unsigned status_of(int code)
{
	switch (code) {
	case -EBADMSG:
	case -E2BIG:
	case -EINVAL:
	case -EKEYREJECTED:
		return 400;
	case -ENOSPC:
		return 409;
	default:
		return 500;
	}
}

void integrity_put_policy(struct http_exchange *x)
{
	const struct node *n = http_exchange_owner(x);
	cJSON *json;
	struct err err;
	int rc = policy_store_add(&n->config->integrity, http_exchange_body(x), &err);

	if (rc < 0) {
		http_reply_problem(x, status_of(rc), "%s", err.text);
		return;
	}
	log_event(LOG_INTEGRITY_POLICY_KEPT, NULL,
		  "a signed policy was brought, and is kept for the next boots");
	json = cJSON_CreateObject();
	(void)cJSON_AddStringToObject(json, "policy", "kept");
	http_reply_json(x, 200, json);
}

void integrity_get_recovery(struct http_exchange *x)
{
	const struct node *n = http_exchange_owner(x);
	cJSON *json = NULL;
	struct err err;
	int rc = recovery_read(&n->config->integrity, &json, &err);

	if (rc < 0)
		http_reply_problem(x, rc == -ENOENT ? 404 : 500, "%s", err.text);
	else
		http_reply_json(x, 200, json);
}
