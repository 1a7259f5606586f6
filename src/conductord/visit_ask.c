/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a visit asks the registry, on a worker: which node it is, what must be sent to it, and to
 * keep what the node has told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "conductor/registry/registry_initialization.h"
#include "conductor/tunnels/login_keys.h"
#include "conductord/visit_private.h"

/* The port says which node; the key says whether it is still enrolled with that. */
static int find_by_key(const struct visit *visit, struct registry_enrolment *ret, struct err *err)
{
	const struct visit_parts *parts = &visit->parts;
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	uint16_t port = 0;
	int rc = login_keys_find(parts->keys, visit->fingerprint, &port, err);

	if (rc == -ENOENT) /* the registry's file is missing, which is no answer */
		return err_set(err, -EIO, "%s", err->text);
	if (rc == 0 && port == 0)
		rc = err_set(err, -ENOENT, "nobody's key");
	if (rc == 0)
		rc = registry_enrolment_at(parts->registry, port, ret, err);
	if (rc < 0)
		return rc;
	authorized_key_fingerprint(ret->ssh_key, fingerprint);
	return strcmp(fingerprint, visit->fingerprint) == 0
		       ? 0
		       : err_set(err, -ENOENT, "enrolled by another key meanwhile");
}

/* -ENOENT: nobody is enrolled so. */
static int find_node(struct visit *visit, struct err *err)
{
	struct registry_enrolment *row = &visit->who;
	int rc = visit->router[0] ? registry_enrolment_of(visit->parts.registry, visit->router,
							  visit->node, row, err)
				  : find_by_key(visit, row, err);

	if (rc < 0)
		return rc;
	memcpy(visit->router, row->router, sizeof(visit->router));
	memcpy(visit->node, row->node, sizeof(visit->node));
	return 0;
}

static struct router_due_question question_of(const struct visit *visit)
{
	const struct visit_parts *parts = &visit->parts;

	return (struct router_due_question){
		.registry = parts->registry,
		.own_keys = parts->own_keys,
		.who = &visit->who,
		.has_asked = visit->has_asked_keys,
		.has_no_keys = visit->has_no_keys,
	};
}

static int find_what_is_due(struct visit *visit, struct err *err)
{
	struct router_due_question question;
	int rc = find_node(visit, err);

	free(visit->due.body);
	visit->due = (struct router_due){0};
	visit_forget_conductors(visit);
	if (rc == 0)
		rc = visit_find_conductors(visit, err);
	if (rc < 0)
		return rc;
	question = question_of(visit);
	return router_due_find(&question, &visit->due, err);
}

void visit_run_find_due(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);

	(void)find_what_is_due(visit, &visit->err);
}

void visit_run_keep_keys(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);
	const struct router_due_question question = question_of(visit);

	(void)router_due_take_keys(&question, visit->keys, &visit->err);
}

void visit_run_tell_initialized(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);
	const struct registry_origin origin = {.address = "visit", .time_s = time(NULL)};

	(void)registry_initialization_finish(visit->parts.registry, &visit->who, &origin,
					     &visit->err);
}
