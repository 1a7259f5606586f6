/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes of tokens, enrolments, the audit, the clock, and the summary. */
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"
#include "conductor/enrolment/identity_load.h"
#include "conductor/registry/registry_clock.h"
#include "conductord/answer.h"
#include "conductord/list_place.h"
#include "conductord/pages.h"
#include "conductord/registry_job.h"
#include "conductord/routes_private.h"
#include "onboarding/token.h"

static int make_jti(char ret[TOKEN_JTI_SIZE], struct err *err)
{
	uint8_t random[(TOKEN_JTI_SIZE - 1) / 2];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return err_set(err, -EIO, "OpenSSL gives no random bytes");
	hex_encode(span_of(random, sizeof(random)), ret);
	return 0;
}

static int read_duration(const cJSON *body, uint64_t *ret_s, struct err *err)
{
	static const char *const members[] = {"expiration-timeout", NULL};
	const char *text;
	int rc = json_refuse_others(body, members, err);

	*ret_s = TOKEN_DURATION_DEFAULT_S;
	if (rc < 0 || !cJSON_GetObjectItemCaseSensitive(body, "expiration-timeout"))
		return rc;
	rc = json_get_string(body, "expiration-timeout", 16, &text, err);
	if (rc == 0)
		rc = token_duration_parse(text, ret_s, err);
	return rc < 0 ? err_wrap(err, "expiration-timeout") : 0;
}

static int sign(const struct conductor_identity *identity, const struct registry_claims *registered,
		const char *jti, const struct registry_origin *origin, uint64_t duration_s,
		char **ret, struct err *err)
{
	const char *asset_ids[TOKEN_ASSET_IDS_MAX];
	const struct token_claims claims = {
		.jti = jti,
		.router = registered->router,
		.asset_ids = asset_ids,
		.n_asset_ids = registered->n_asset_ids,
		.iat = (uint64_t)origin->time_s,
		.exp = (uint64_t)origin->time_s + duration_s,
		.conductor_certificate = span_of(identity->certificate, identity->certificate_size),
		.ca_certificate = span_of(identity->ca_certificate, identity->ca_certificate_size),
		.secret = span_of(registered->secret, TOKEN_SECRET_SIZE),
	};

	for (size_t i = 0; i < registered->n_asset_ids; i++)
		asset_ids[i] = registered->asset_ids[i];
	return token_sign(&claims, &identity->key, ret, err);
}

static void answer_new_token(struct registry_job *job, const char *token, const char *jti,
			     uint64_t duration_s)
{
	job->json = cJSON_CreateObject();
	job->status = 201;
	(void)cJSON_AddStringToObject(job->json, "token", token);
	(void)cJSON_AddStringToObject(job->json, "jti", jti);
	(void)cJSON_AddNumberToObject(job->json, "exp",
				      (double)job->origin.time_s + (double)duration_s);
}

/* The router of a token takes no other certificate than the token's. */
static int check_is_shown(const struct registry_job *job, const struct conductor_identity *identity,
			  struct err *err)
{
	struct enrolment_service *enrolment = job->conductor->enrolment;

	if (!enrolment ||
	    enrolment_shows(enrolment, span_of(identity->certificate, identity->certificate_size)))
		return 0;
	return err_set(err, -EBUSY,
		       "the certificate's file was replaced, and this conductor still shows the "
		       "certificate of before: load it first, request system reload");
}

/* The certificate is checked first, so that a token that cannot be signed is not recorded. */
static int issue(struct registry_job *job, struct err *err)
{
	_cleanup_(conductor_identity_release) struct conductor_identity identity = {0};
	_cleanup_(registry_claims_release) struct registry_claims claims = {0};
	_cleanup_(token_text_free) char *token = NULL;
	char jti[TOKEN_JTI_SIZE];
	uint64_t duration_s;
	int rc = read_duration(job->body, &duration_s, err);

	if (rc == 0)
		rc = conductor_identity_load(&identity, &job->conductor->config->conductor, err);
	if (rc == 0)
		rc = check_is_shown(job, &identity, err);
	if (rc == 0)
		rc = make_jti(jti, err);
	if (rc == 0)
		rc = registry_token_issue(
			job->conductor->registry,
			&(struct registry_token_order){
				.router = job->router,
				.jti = jti,
				.expires_s = job->origin.time_s + (int64_t)duration_s,
				.certificate =
					span_of(identity.certificate, identity.certificate_size),
			},
			&job->origin, &claims, err);
	if (rc == 0)
		rc = sign(&identity, &claims, jti, &job->origin, duration_s, &token, err);
	if (rc == 0)
		answer_new_token(job, token, jti, duration_s);
	return rc;
}

static const char *router_of(const struct registry_job *job)
{
	return job->router[0] ? job->router : NULL;
}

/* after: when it was issued, and its number. */
static int read_token_place(const char *after, int64_t *ret_issued_s, char ret_jti[TOKEN_JTI_SIZE],
			    struct err *err)
{
	const char *at = after;

	if (!after[0] || (list_place_number(&at, ret_issued_s) &&
			  list_place_word(&at, ret_jti, TOKEN_JTI_SIZE) && list_place_ends(at) &&
			  token_jti_is_valid(ret_jti)))
		return 0;
	return err_set(err, -EINVAL, "after: '%s' is no place in the list of tokens", after);
}

static int read_tokens(struct registry_job *job, struct pages_chunk *chunk, struct list_text *list,
		       struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_token *tokens = NULL;
	char jti[TOKEN_JTI_SIZE] = "";
	int64_t issued_s = 0;
	size_t n = 0;
	int rc = read_token_place(chunk->after, &issued_s, jti, err);

	if (rc == 0)
		rc = registry_tokens_page(job->conductor->registry, router_of(job), issued_s, jti,
					  chunk->limit + 1, &tokens, &n, err);
	n = pages_cut(chunk, n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = list_text_add(list, answer_token(&tokens[i], job->origin.time_s), err);
	if (rc == 0 && n > 0)
		(void)snprintf(chunk->after, sizeof(chunk->after), "%lld/%s",
			       (long long)tokens[n - 1].issued_s, tokens[n - 1].jti);
	return rc;
}

static int list_tokens(struct registry_job *job, struct err *err)
{
	static const struct pages pages = {.member = "tokens", .read = read_tokens};

	return pages_answer(job, &pages, err);
}

static int revoke_token(struct registry_job *job, struct err *err)
{
	job->status = 204;
	return registry_token_revoke(job->conductor->registry, job->jti, &job->origin, err);
}

/* Which of them has a tunnel on this conductor? */
static cJSON *answer_with_tunnel(const struct registry_job *job,
				 const struct registry_enrolment *enrolment)
{
	cJSON *json = answer_enrolment(enrolment);
	const char *key = cJSON_GetStringValue(cJSON_GetObjectItem(json, "ssh-key"));
	const char *kex = key ? tunnel_book_find(&job->conductor->tunnel_book, key) : NULL;

	if (kex)
		(void)cJSON_AddStringToObject(json, "tunnel-key-exchange", kex);
	else
		(void)cJSON_AddNullToObject(json, "tunnel-key-exchange");
	return json;
}

/* after: router and node. */
static int read_node_place(const char *after, char ret_router[TOKEN_NAME_SIZE],
			   char ret_node[TOKEN_NAME_SIZE], struct err *err)
{
	const char *at = after;

	if (!after[0] || (list_place_word(&at, ret_router, TOKEN_NAME_SIZE) &&
			  list_place_word(&at, ret_node, TOKEN_NAME_SIZE) && list_place_ends(at) &&
			  token_name_is_valid(ret_router) && token_name_is_valid(ret_node)))
		return 0;
	return err_set(err, -EINVAL, "after: '%s' is no place in the list of enrolments", after);
}

static int read_enrolments(struct registry_job *job, struct pages_chunk *chunk,
			   struct list_text *list, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_enrolment *rows = NULL;
	char router[TOKEN_NAME_SIZE] = "";
	char node[TOKEN_NAME_SIZE] = "";
	size_t n = 0;
	int rc = read_node_place(chunk->after, router, node, err);

	if (rc == 0)
		rc = registry_enrolments_page(job->conductor->registry, router_of(job), router,
					      node, chunk->limit + 1, &rows, &n, err);
	n = pages_cut(chunk, n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = list_text_add(list, answer_with_tunnel(job, &rows[i]), err);
	if (rc == 0 && n > 0)
		(void)snprintf(chunk->after, sizeof(chunk->after), "%s/%s", rows[n - 1].router,
			       rows[n - 1].node);
	return rc;
}

static int list_enrolments(struct registry_job *job, struct err *err)
{
	static const struct pages pages = {.member = "enrolments", .read = read_enrolments};

	return pages_answer(job, &pages, err);
}

static int add_failures(struct registry_job *job, cJSON *array, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_failures *failures = NULL;
	size_t n;
	int rc =
		registry_failures_query(job->conductor->registry, job->since_s, &failures, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		cJSON *item = cJSON_CreateObject();

		(void)cJSON_AddNumberToObject(item, "minute", (double)failures[i].minute_s);
		(void)cJSON_AddStringToObject(item, "address", failures[i].address);
		(void)cJSON_AddNumberToObject(item, "count", (double)failures[i].n);
		(void)cJSON_AddItemToArray(array, item);
	}
	return rc;
}

/* after: time, conductor and number of the row. */
static int read_audit_place(const char *after, struct registry_audit_row *ret, struct err *err)
{
	const char *at = after;

	if (list_place_number(&at, &ret->time_s) &&
	    list_place_word(&at, ret->conductor, sizeof(ret->conductor)) &&
	    list_place_number(&at, &ret->sequence) && list_place_ends(at) &&
	    token_name_is_valid(ret->conductor))
		return 0;
	return err_set(err, -EINVAL, "after: '%s' is no place in the audit", after);
}

static int read_audit(struct registry_job *job, struct pages_chunk *chunk, struct list_text *list,
		      struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_audit_row *rows = NULL;
	struct registry_audit_row place = {0};
	const bool goes_on = chunk->after[0];
	size_t n = 0;
	int rc = goes_on ? read_audit_place(chunk->after, &place, err) : 0;

	if (rc == 0)
		rc = registry_audit_page(job->conductor->registry, router_of(job), job->since_s,
					 goes_on ? &place : NULL, chunk->limit + 1, &rows, &n, err);
	n = pages_cut(chunk, n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = list_text_add(list, answer_audit(&rows[i]), err);
	if (rc == 0 && n > 0)
		(void)snprintf(chunk->after, sizeof(chunk->after), "%lld/%s/%lld",
			       (long long)rows[n - 1].time_s, rows[n - 1].conductor,
			       (long long)rows[n - 1].sequence);
	return rc;
}

/* Without a limit: the newest rows, as many as go into one answer. */
static int read_newest_audit(struct registry_job *job, struct pages_chunk *chunk,
			     struct list_text *list, struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_audit_row *rows = NULL;
	size_t n = 0;
	int rc = registry_audit_query(job->conductor->registry, router_of(job), job->since_s, &rows,
				      &n, err);

	chunk->more = false;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = list_text_add(list, answer_audit(&rows[i]), err);
	return rc;
}

/* Failures of strangers belong to no router, so they are listed only if none was named. */
static int list_audit(struct registry_job *job, struct err *err)
{
	const struct pages pages = {
		.member = "audit",
		.read = job->limit > 0 || job->after[0] ? read_audit : read_newest_audit,
		.second = "failures",
		.add = job->router[0] ? NULL : add_failures,
	};

	return pages_answer(job, &pages, err);
}

static int reset_clock(struct registry_job *job, struct err *err)
{
	job->status = 204;
	return registry_clock_reset(job->conductor->registry, &job->origin, err);
}

static void show_summary(struct registry_job *job)
{
	/* If the registry cannot be asked, the last summary is shown, if there is one. */
	if (job->summary.problem[0] && !job->router[0])
		job->summary.counts = job->conductor->summaries.summary.counts;
	if (job->summary.own_row.standing != job->conductor->summaries.summary.own_row.standing)
		summary_watch_take(&job->conductor->summaries);
	job->json = summary_to_json(&job->summary, job->conductor);
}

static int take_summary(struct registry_job *job, struct err *err)
{
	struct registry_conductor self;
	const bool is_registered = registration_self(&job->conductor->registration, &self);

	summary_take(&job->summary, job->conductor->registry, &job->conductor->config->conductor,
		     is_registered ? &self : NULL, router_of(job), job->origin.time_s);
	if (job->summary.error == -ENOENT)
		return err_set(err, -ENOENT, "%s", job->summary.problem);
	job->finish = show_summary;
	return 0;
}

void routes_post_token(struct http_exchange *x)
{
	registry_job_start(x, issue);
}

void routes_get_tokens(struct http_exchange *x)
{
	registry_job_start(x, list_tokens);
}

void routes_delete_token(struct http_exchange *x)
{
	registry_job_start(x, revoke_token);
}

void routes_get_enrolments(struct http_exchange *x)
{
	registry_job_start(x, list_enrolments);
}

void routes_get_audit(struct http_exchange *x)
{
	registry_job_start(x, list_audit);
}

void routes_reset_clock(struct http_exchange *x)
{
	registry_job_start(x, reset_clock);
}

void routes_get_onboarding(struct http_exchange *x)
{
	registry_job_start(x, take_summary);
}
