/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A node is told which conductors there are, before anything else: it has to find them, whatever
 * keeps it from taking the rest. */
#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/macros.h"
#include "conductor/registry/registry_conductors.h"
#include "conductord/visit_private.h"
#include "conductord/visit_rules.h"

/* NULL = out of memory. */
static char *print(const struct conductor_list *list)
{
	_cleanup_(json_freep) cJSON *json = cJSON_CreateObject();

	return conductor_list_add_json(json, list) ? cJSON_PrintUnformatted(json) : NULL;
}

int visit_find_conductors(struct visit *visit, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_conductor *rows = NULL;
	struct conductor_list list;
	size_t n = 0;
	int rc = registry_conductors_list(visit->parts.registry, &rows, &n, err);

	if (rc < 0)
		return rc;
	registry_conductors_tell(rows, n, visit->who.listen_port, visit->parts.repository_port,
				 &list);
	if (list.version == 0)
		return 0;
	visit->conductors = print(&list);
	visit->conductors_version = list.version;
	return visit->conductors ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void visit_forget_conductors(struct visit *visit)
{
	free(visit->conductors);
	visit->conductors = NULL;
}

bool visit_has_conductors_to_tell(const struct visit *visit)
{
	return visit->conductors && visit->told_version != visit->conductors_version;
}

/* What it refuses is told; then it gets the rest. 404: its stewardd is older than such lists. */
static void on_answered(void *owner, const struct router_answer *answer)
{
	struct visit *visit = owner;
	const enum visit_next next = visit_judge(answer->status, ++visit->calls);

	if (visit->closing || next == VISIT_LET_GO) {
		visit_end(visit);
	} else if (next == VISIT_AGAIN) {
		visit_call_again(visit, answer);
	} else {
		if (next == VISIT_REFUSED && answer->status != 404)
			visit_tell_answer(visit, answer);
		visit->calls = 0;
		visit->told_version = visit->conductors_version;
		visit_proceed(visit);
	}
}

void visit_tell_conductors(struct visit *visit)
{
	const struct router_ask ask = {
		.listen_port = visit->who.listen_port,
		.method = "PUT",
		.path = "/v1/conductors",
		.body = visit->conductors,
		.timeout_ms = ROUTER_CALL_CHANGE_MS,
	};

	visit->tries = 0;
	if (router_call_start(visit->parts.calls, &ask, on_answered, visit) < 0)
		visit_end(visit);
}
