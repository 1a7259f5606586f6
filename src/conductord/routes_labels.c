/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes of the labels by which routers are found. */
#include <stdio.h>

#include "base/json.h"
#include "conductor/registry/registry_labels.h"
#include "conductord/registry_job.h"
#include "conductord/routes_private.h"

static int put_label(struct registry_job *job, struct err *err)
{
	static const char *const members[] = {"value", NULL};
	struct registry_label label;
	const char *value;
	int rc = json_refuse_others(job->body, members, err);

	if (rc < 0)
		return rc;
	rc = json_get_string(job->body, "value", sizeof(label.value) - 1, &value, err);
	if (rc < 0)
		return rc;
	(void)snprintf(label.router, sizeof(label.router), "%s", job->router);
	(void)snprintf(label.name, sizeof(label.name), "%s", job->label);
	(void)snprintf(label.value, sizeof(label.value), "%s", value);
	rc = registry_label_set(job->conductor->registry, &label, &job->origin, err);
	return rc == 0 ? routes_show_router(job, err) : rc;
}

static int delete_label(struct registry_job *job, struct err *err)
{
	job->status = 204;
	return registry_label_delete(job->conductor->registry, job->router, job->label,
				     &job->origin, err);
}

void routes_put_label(struct http_exchange *x)
{
	registry_job_start(x, put_label);
}

void routes_delete_label(struct http_exchange *x)
{
	registry_job_start(x, delete_label);
}
