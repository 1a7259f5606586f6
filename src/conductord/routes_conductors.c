/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes of the conductors of the registry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_conductors.h"
#include "conductord/registry_job.h"
#include "conductord/routes_private.h"

static cJSON *answer_conductor(const struct registry_conductor *row)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *keys;

	(void)cJSON_AddStringToObject(json, "name", row->name);
	(void)cJSON_AddStringToObject(json, "host", row->host);
	(void)cJSON_AddNumberToObject(json, "port", row->port);
	(void)cJSON_AddNumberToObject(json, "registered", (double)row->seen_s);
	keys = cJSON_AddArrayToObject(json, "ssh-host-keys");
	for (const char *at = row->ssh_host_keys; *at; at += *at == '\n') {
		const size_t length = strcspn(at, "\n");
		char *key = strndup(at, length);

		if (key && key[0])
			(void)cJSON_AddItemToArray(keys, cJSON_CreateString(key));
		free(key);
		at += length;
	}
	return json;
}

static int list_conductors(struct registry_job *job, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_conductor *rows = NULL;
	cJSON *array;
	size_t n = 0;
	int rc = registry_conductors_list(job->conductor->registry, &rows, &n, err);

	if (rc < 0)
		return rc;
	job->json = cJSON_CreateObject();
	(void)cJSON_AddNumberToObject(job->json, "version",
				      n > 0 ? (double)rows[0].list_version : 0);
	array = cJSON_AddArrayToObject(job->json, "conductors");
	for (size_t i = 0; i < n; i++)
		(void)cJSON_AddItemToArray(array, answer_conductor(&rows[i]));
	return 0;
}

/* Itself it would register again, and whoever asks it would find it still running. */
static int remove_conductor(struct registry_job *job, struct err *err)
{
	int rc;

	if (strcmp(job->named, job->conductor->config->name) == 0)
		return err_set(err, -EBUSY,
			       "this is conductor %s itself: ask another conductor of the "
			       "registry, and stop this one for good",
			       job->named);
	rc = registry_conductor_remove(job->conductor->registry, job->named, &job->origin, err);
	job->status = 204;
	job->list_changed = rc == 0;
	return rc;
}

void routes_get_conductors(struct http_exchange *x)
{
	registry_job_start(x, list_conductors);
}

void routes_delete_conductor(struct http_exchange *x)
{
	registry_job_start(x, remove_conductor);
}
