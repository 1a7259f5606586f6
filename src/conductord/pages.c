/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/pages.h"

#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/macros.h"

static void add_wanted(const struct registry_job *job, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < job->n_wanted; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%s=%s",
					 i ? "," : "label=", job->wanted[i].name,
					 job->wanted[i].value);
	if (used > 0)
		(void)snprintf(ret + used, size - used, "&");
}

/* Names, numbers and hex digits, between them "/": none of it must be escaped in a URL. */
static void link_next(struct registry_job *job, const char *after)
{
	char since[40] = "";
	char wanted[REGISTRY_JOB_LINK_SIZE];

	if (job->since_s > 0)
		(void)snprintf(since, sizeof(since), "since=%lld&", (long long)job->since_s);
	add_wanted(job, wanted, sizeof(wanted));
	(void)snprintf(job->link, sizeof(job->link),
		       "<%s?%s%s%s%s%slimit=%zu&after=%s>; rel=\"next\"", job->path,
		       job->asked_router ? "router=" : "", job->asked_router ? job->router : "",
		       job->asked_router ? "&" : "", wanted, since, job->limit, after);
}

size_t pages_cut(struct pages_chunk *chunk, size_t n)
{
	chunk->more = n > chunk->limit;
	return MIN(n, chunk->limit);
}

static int read_rows(struct registry_job *job, const struct pages *pages, struct pages_chunk *chunk,
		     struct list_text *list, struct err *err)
{
	const size_t wanted = job->limit > 0 ? job->limit : SIZE_MAX;
	int rc;

	(void)snprintf(chunk->after, sizeof(chunk->after), "%s", job->after);
	do {
		chunk->limit = MIN(wanted - list->n, (size_t)PAGES_CHUNK);
		rc = pages->read(job, chunk, list, err);
	} while (rc == 0 && chunk->more && list->n < wanted);
	return rc;
}

static int end_list(struct registry_job *job, const struct pages *pages, bool more,
		    struct list_text *list, struct err *err)
{
	cJSON *second;
	int rc;

	if (more || !pages->add)
		return list_text_end(list, NULL, NULL, err);
	second = cJSON_CreateArray();
	rc = pages->add(job, second, err);
	if (rc == 0)
		return list_text_end(list, pages->second, second, err);
	cJSON_Delete(second);
	return rc;
}

int pages_answer(struct registry_job *job, const struct pages *pages, struct err *err)
{
	struct pages_chunk chunk = {0};
	struct list_text list;
	int rc = list_text_begin(&list, pages->member, err);

	if (rc == 0)
		rc = read_rows(job, pages, &chunk, &list, err);
	if (rc == 0)
		rc = end_list(job, pages, chunk.more, &list, err);
	if (rc < 0) {
		list_text_release(&list);
		return rc;
	}
	if (chunk.more)
		link_next(job, chunk.after);
	job->text = list.text;
	return 0;
}
