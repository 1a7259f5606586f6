/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/registry_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/macros.h"
#include "conductor/registry/registry_router_row.h"

static unsigned status_of(int code)
{
	switch (code) {
	case -EINVAL:
	case -EBADMSG:
	case -E2BIG:
		return 400;
	case -ENOENT:
		return 404;
	case -EEXIST:
	case -EBUSY:
	case -ETIME:
	case -EDQUOT:
		return 409;
	default:
		return 503; /* the registry cannot be asked now */
	}
}

static void ask_registry(struct work *work)
{
	struct registry_job *job = container_of(work, struct registry_job, work);

	job->rc = job->ask(job, &job->err);
}

static void reply(struct registry_job *job)
{
	if (job->rc < 0) {
		http_reply_problem(job->x, status_of(job->rc), "%s", job->err.text);
	} else if (job->text) {
		http_reply_page(job->x, job->text, job->link[0] ? job->link : NULL);
		job->text = NULL;
	} else if (job->json) {
		http_reply_json(job->x, job->status, job->json);
		job->json = NULL;
	} else {
		http_reply_empty(job->x, job->status);
	}
}

static void job_free(struct registry_job *job)
{
	json_wipe_free(job->body); /* there may be a password in it */
	cJSON_Delete(job->json);
	free(job->text);
	free(job);
}

static void on_done(struct work *work)
{
	struct registry_job *job = container_of(work, struct registry_job, work);
	struct conductor *conductor = job->conductor;

	if (job->x) {
		if (job->rc == 0 && job->finish)
			job->finish(job);
		http_exchange_keep(job->x, NULL, NULL);
		reply(job);
	}
	/* This is done after a failure too, because a part of the change may have been made. */
	if (job->list_changed)
		conductor_list_changed(conductor);
	if (job->keys_changed)
		conductor_keys_changed(conductor);
	for (size_t i = 0; i < job->n_visits && conductor->provisioning; i++)
		provisioning_of_node(conductor->provisioning, job->router, job->visits[i]);
	job_free(job);
	node_job_ends(&conductor->node);
}

static void on_gone(void *kept)
{
	((struct registry_job *)kept)->x = NULL;
}

/* A name that does not fit is never cut: nothing here has such a name. */
static int copy_name(const char *value, const char *name, char *ret, size_t size, struct err *err)
{
	if (value && (size_t)snprintf(ret, size, "%s", value) >= size) {
		ret[0] = '\0';
		return err_set(err, -EINVAL, "%s: '%s' is too long: at most %zu characters", name,
			       value, size - 1);
	}
	return 0;
}

static int copy_parameter(struct http_exchange *x, const char *name, char *ret, size_t size,
			  struct err *err)
{
	return copy_name(http_exchange_parameter(x, name), name, ret, size, err);
}

/* Reads ?router= if the path names no router. An empty value does not mean all routers. */
static int read_router(struct http_exchange *x, struct registry_job *job, struct err *err)
{
	const char *asked = http_exchange_query(x, "router");
	int rc = copy_parameter(x, "router", job->router, sizeof(job->router), err);

	if (rc < 0 || job->router[0] || !asked)
		return rc;
	job->asked_router = true;
	rc = copy_name(asked, "router", job->router, sizeof(job->router), err);
	return rc < 0 ? rc : registry_check_name("router", job->router, err);
}

static int read_number(struct http_exchange *x, const char *name, int64_t *ret, struct err *err)
{
	const char *text = http_exchange_query(x, name);
	char *end;

	if (!text)
		return 0;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9')
		return err_set(err, -EINVAL, "%s: expected a number, found '%s'", name, text);
	return 0;
}

/* What is asked of a list. */
static int read_page(struct http_exchange *x, struct registry_job *job, struct err *err)
{
	int64_t limit = 0;
	int rc = read_number(x, "limit", &limit, err);

	if (rc < 0)
		return rc;
	if (http_exchange_query(x, "limit") && (limit < 1 || limit > REGISTRY_JOB_LIMIT_MAX))
		return err_set(err, -EINVAL, "limit: expected 1 to %d, found %lld",
			       REGISTRY_JOB_LIMIT_MAX, (long long)limit);
	job->limit = (size_t)limit;
	(void)snprintf(job->path, sizeof(job->path), "%s", http_exchange_path(x));
	return copy_name(http_exchange_query(x, "after"), "after", job->after, sizeof(job->after),
			 err);
}

/* site=emea */
static int read_wanted(const char *text, size_t length, struct registry_label *ret, struct err *err)
{
	const char *equals = memchr(text, '=', length);
	size_t name = equals ? (size_t)(equals - text) : 0;
	size_t value = equals ? length - name - 1 : 0;
	int rc;

	if (!equals || name >= sizeof(ret->name) || value >= sizeof(ret->value))
		return err_set(err, -EINVAL, "label: expected NAME=VALUE, found '%.*s'",
			       (int)length, text);
	memcpy(ret->name, text, name);
	memcpy(ret->value, equals + 1, value);
	rc = registry_check_name("label", ret->name, err);
	return rc < 0 ? rc : registry_check_name("value of a label", ret->value, err);
}

/* All of them must hold. */
static int read_all_wanted(struct http_exchange *x, struct registry_job *job, struct err *err)
{
	const char *text = http_exchange_query(x, "label");
	int rc = 0;

	while (rc == 0 && text) {
		size_t length = strcspn(text, ",");

		if (job->n_wanted == REGISTRY_JOB_WANTED_MAX)
			return err_set(err, -EINVAL, "label: more than %d of them",
				       REGISTRY_JOB_WANTED_MAX);
		rc = read_wanted(text, length, &job->wanted[job->n_wanted++], err);
		text = text[length] ? text + length + 1 : NULL;
	}
	return rc;
}

/* What is asked of the fleet; other lists have no such questions. */
static int read_view(struct http_exchange *x, struct registry_job *job, struct err *err)
{
	const struct fleet_words words = {
		.name = http_exchange_query(x, "name"),
		.mode = http_exchange_query(x, "mode"),
		.enrolled = http_exchange_query(x, "enrolled"),
		.connected = http_exchange_query(x, "connected"),
		.sort = http_exchange_query(x, "sort"),
	};
	int rc = read_number(x, "first", &job->first, err);

	return rc == 0 ? fleet_view_read(&job->view, &words, err) : rc;
}

static int read_body(struct http_exchange *x, struct registry_job *job, struct err *err)
{
	struct span body = http_exchange_body(x);
	int rc;

	if (body.size == 0)
		body = span_of_string("{}");
	rc = json_parse(&job->body, body, HTTP_BODY_MAX, err);
	if (rc == 0 && !cJSON_IsObject(job->body))
		rc = err_set(err, -EBADMSG, "expected a JSON object");
	return rc;
}

static int fill(struct http_exchange *x, struct registry_job *job, struct err *err)
{
	int rc = read_router(x, job, err);

	if (rc == 0)
		rc = copy_parameter(x, "node", job->node, sizeof(job->node), err);
	if (rc == 0)
		rc = copy_parameter(x, "jti", job->jti, sizeof(job->jti), err);
	if (rc == 0)
		rc = copy_parameter(x, "conductor", job->named, sizeof(job->named), err);
	if (rc == 0)
		rc = copy_parameter(x, "label", job->label, sizeof(job->label), err);
	if (rc == 0)
		rc = copy_parameter(x, "rollout", job->rollout, sizeof(job->rollout), err);
	if (rc == 0)
		rc = read_all_wanted(x, job, err);
	if (rc == 0)
		rc = read_number(x, "since", &job->since_s, err);
	job->revision = -1;
	if (rc == 0)
		rc = read_number(x, "revision", &job->revision, err);
	if (rc == 0)
		rc = read_page(x, job, err);
	if (rc == 0)
		rc = read_view(x, job, err);
	return rc == 0 ? read_body(x, job, err) : rc;
}

void registry_job_start(struct http_exchange *x, registry_job_cb ask)
{
	struct conductor *conductor = conductor_of(http_exchange_owner(x));
	struct registry_job *job = calloc(1, sizeof(*job));

	if (!job) {
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	if (fill(x, job, &job->err) < 0) {
		http_reply_problem(x, 400, "%s", job->err.text);
		job_free(job);
		return;
	}
	job->conductor = conductor;
	job->x = x;
	job->ask = ask;
	job->status = 200;
	(void)snprintf(job->address, sizeof(job->address), "uid %u", http_exchange_uid(x));
	job->origin = (struct registry_origin){.address = job->address, .time_s = time(NULL)};
	http_exchange_keep(x, job, on_gone);
	node_job_begins(&conductor->node);
	work_pool_submit(conductor->registry_pool, &conductor->node.loop, &job->work, ask_registry,
			 on_done);
}
