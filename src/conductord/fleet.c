/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_enrolment.h"
#include "conductor/registry/registry_labels.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/tunnels/authorized_keys.h"
#include "conductord/list_text.h"
#include "conductord/pages.h"
#include "conductord/routes_private.h"

static int read_routers(struct registry *registry, struct fleet_row **ret, size_t *ret_n,
			struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_router *routers = NULL;
	size_t n = 0;
	int rc = registry_routers_list(registry, &routers, &n, err);

	if (rc < 0)
		return rc;
	*ret = calloc(MAX(n, 1u), sizeof(**ret));
	if (!*ret)
		return err_set(err, -ENOMEM, "out of memory for %zu routers", n);
	*ret_n = n;
	for (size_t i = 0; i < n; i++) {
		memcpy((*ret)[i].name, routers[i].name, sizeof((*ret)[i].name));
		(*ret)[i].mode = routers[i].mode;
		(*ret)[i].n_nodes = (uint32_t)routers[i].n_nodes;
		(*ret)[i].n_enrolled = (uint32_t)routers[i].n_enrolled;
	}
	return 0;
}

/* Moves those of rows from first to end that have all labels that are asked for behind the *kept
 * that have them already. Rows and labels are ordered by name. */
static int keep_of_chunk(struct registry_job *job, struct fleet_row *rows, size_t first, size_t end,
			 size_t *kept, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_label *labels = NULL;
	size_t n = 0;
	size_t at = 0;
	int rc = registry_labels_between(job->conductor->registry, rows[first].name,
					 rows[end - 1].name, &labels, &n, err);

	for (size_t i = first; rc == 0 && labels && i < end; i++) {
		size_t of_router;

		while (at < n && strcmp(labels[at].router, rows[i].name) < 0)
			at++;
		of_router = at;
		while (at < n && strcmp(labels[at].router, rows[i].name) == 0)
			at++;
		if (registry_labels_hold(job->wanted, job->n_wanted, labels + of_router,
					 at - of_router))
			rows[(*kept)++] = rows[i];
	}
	return rc;
}

/* Some at a time, since each may have many labels. */
static int keep_labelled(struct registry_job *job, struct fleet_row *rows, size_t *n,
			 struct err *err)
{
	size_t kept = 0;
	int rc = 0;

	if (job->n_wanted == 0)
		return 0;
	for (size_t first = 0; rc == 0 && first < *n; first += PAGES_CHUNK)
		rc = keep_of_chunk(job, rows, first, MIN(first + PAGES_CHUNK, *n), &kept, err);
	*n = kept;
	return rc;
}

static int by_name(const void *name, const void *row)
{
	return strcmp(name, ((const struct fleet_row *)row)->name);
}

/* rows: ordered by name. */
static int count_tunnels(struct registry_job *job, struct fleet_row *rows, size_t n,
			 struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_enrolled_key *keys = NULL;
	struct tunnel_book *book = &job->conductor->tunnel_book;
	size_t n_keys = 0;
	int rc = registry_enrolled_keys_list(job->conductor->registry, &keys, &n_keys, err);

	for (size_t i = 0; rc == 0 && i < n_keys; i++) {
		char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
		struct fleet_row *row;

		authorized_key_fingerprint(keys[i].ssh_key, fingerprint);
		if (!tunnel_book_find(book, fingerprint))
			continue;
		row = bsearch(keys[i].router, rows, n, sizeof(*rows), by_name);
		if (row)
			row->n_connected++;
	}
	return rc;
}

static cJSON *row_to_json(const struct fleet_row *row)
{
	cJSON *json = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(json, "router", row->name);
	(void)cJSON_AddStringToObject(json, "mode", onboarding_mode_name(row->mode));
	(void)cJSON_AddNumberToObject(json, "nodes", row->n_nodes);
	(void)cJSON_AddNumberToObject(json, "enrolled", row->n_enrolled);
	(void)cJSON_AddNumberToObject(json, "connected", row->n_connected);
	return json;
}

static int print(struct registry_job *job, const struct fleet_row *rows, size_t n, struct err *err)
{
	const size_t first = MIN((size_t)job->first, n);
	const size_t limit = job->limit > 0 ? job->limit : FLEET_LIMIT_DEFAULT;
	const size_t end = first + MIN(limit, n - first);
	struct list_text list;
	int rc = list_text_begin(&list, "fleet", err);

	for (size_t i = first; rc == 0 && i < end; i++)
		rc = list_text_add(&list, row_to_json(&rows[i]), err);
	if (rc == 0)
		rc = list_text_end(&list, "total", cJSON_CreateNumber((double)n), err);
	if (rc < 0)
		list_text_release(&list);
	else
		job->text = list.text;
	return rc;
}

int fleet_answer(struct registry_job *job, struct err *err)
{
	_cleanup_(registry_rows_free) struct fleet_row *rows = NULL;
	size_t n = 0;
	int rc = read_routers(job->conductor->registry, &rows, &n, err);

	if (rc == 0)
		rc = keep_labelled(job, rows, &n, err);
	if (rc == 0)
		rc = count_tunnels(job, rows, n, err);
	return rc == 0 ? print(job, rows, fleet_view_apply(&job->view, rows, n), err) : rc;
}

void routes_get_fleet(struct http_exchange *x)
{
	registry_job_start(x, fleet_answer);
}
