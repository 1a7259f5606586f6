/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_job.h - a request of the control socket that asks the registry: on a worker, with the
 * answer back on the loop.
 *
 *	static int list_tokens(struct registry_job *job, struct err *err) { ... on a worker ... }
 *
 *	static void get_tokens(struct http_exchange *x)
 *	{
 *		registry_job_start(x, list_tokens);
 *	}
 */
#pragma once

#include <cjson/cJSON.h>

#include "base/work_pool.h"
#include "conductor/registry/registry_labels.h"
#include "conductord/conductor.h"
#include "conductord/fleet_view.h"
#include "conductord/summary.h"
#include "http/http_server.h"
#include "onboarding/token.h"

#define REGISTRY_JOB_LIMIT_MAX  10000               /* rows of a page that is asked for */
#define REGISTRY_JOB_WANTED_MAX 8                   /* labels of ?label= */
#define REGISTRY_JOB_VISITS_MAX TOKEN_ASSET_IDS_MAX /* a router has no more nodes */

/* Two names and what is between them; and of a conductor's row in the audit: two numbers. */
#define REGISTRY_JOB_AFTER_SIZE (2 * TOKEN_NAME_SIZE + 32)
#define REGISTRY_JOB_PATH_SIZE  (TOKEN_NAME_SIZE + 32)
#define REGISTRY_JOB_LINK_SIZE                                                                     \
	(REGISTRY_JOB_AFTER_SIZE + REGISTRY_JOB_PATH_SIZE + TOKEN_NAME_SIZE + 64 +                 \
	 REGISTRY_JOB_WANTED_MAX * 2 * TOKEN_NAME_SIZE)

struct registry_job;
/* On a worker: fill json and status, or err. Negative: the answer is a problem document. */
typedef int (*registry_job_cb)(struct registry_job *job, struct err *err);

struct registry_job {
	struct work work;
	struct conductor *conductor;
	struct http_exchange *x; /* NULL = the client is gone */
	registry_job_cb ask;
	/* What was asked: parameters of the path, "" where it has none. */
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];
	char jti[TOKEN_JTI_SIZE];
	char named[TOKEN_NAME_SIZE]; /* a conductor */
	char label[TOKEN_NAME_SIZE];
	char rollout[TOKEN_NAME_SIZE];
	bool asked_router; /* the router is of ?router= and not of the path */
	struct registry_label wanted[REGISTRY_JOB_WANTED_MAX]; /* ?label=NAME=VALUE,... */
	size_t n_wanted;
	size_t limit;                        /* ?limit=, rows of a page; 0 = all */
	char after[REGISTRY_JOB_AFTER_SIZE]; /* ?after=, "" = from the first */
	char path[REGISTRY_JOB_PATH_SIZE];   /* of the request, for the link to the next page */
	int64_t since_s;                     /* ?since= */
	int64_t revision;                    /* ?revision=; -1 = whichever is there */
	int64_t first;          /* ?first=, of the fleet: rows that are left out before */
	struct fleet_view view; /* of the fleet */
	cJSON *body;            /* an object */
	struct registry_origin origin;
	char address[32]; /* of origin: "uid 0" */
	/* What is answered. */
	cJSON *json;                       /* NULL = nothing */
	char *text;                        /* or JSON that is printed already; status is 200 then */
	char link[REGISTRY_JOB_LINK_SIZE]; /* to the page after it; "" = none */
	unsigned status;
	/* Called on the loop before the answer, for what a worker may not do. NULL = nothing. */
	void (*finish)(struct registry_job *job);
	struct summary summary;
	bool list_changed; /* what routers are told of conductors has changed */
	bool keys_changed; /* the keys that may log in have changed: the tunnels are told */
	/* Nodes of the router to which its configuration is to be sent. */
	char visits[REGISTRY_JOB_VISITS_MAX][TOKEN_NAME_SIZE];
	size_t n_visits;
	int rc;
	struct err err;
};

void registry_job_start(struct http_exchange *x, registry_job_cb ask);
