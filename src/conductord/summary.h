/* summary.h - how onboarding stands on this conductor: what the registry has, what port 930 has
 * seen, and what an operator should be told.
 *
 * The registry is asked on a worker; what it said is kept for those that cannot wait for it (GET
 * /v1/status, GET /metrics), at most a minute old.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdio.h>

#include "conductor/registry/registry_counts.h"
#include "config/config.h"

struct conductor;

#define SUMMARY_PROBLEM_SIZE 256

struct summary {
	int64_t at_s; /* 0 = nobody was asked yet */
	int error; /* -ENOENT: there is no such router; else 0, or the registry does not answer */
	char problem[SUMMARY_PROBLEM_SIZE]; /* why the registry does not answer; "" = it does */
	struct registry_counts counts;
	int64_t certificate_ends_s; /* 0 = it cannot be used, and this is why: */
	char certificate_problem[SUMMARY_PROBLEM_SIZE];
	char clock_problem[SUMMARY_PROBLEM_SIZE]; /* it was set back; "" = it was not */
	bool old_ports;                           /* something listens there */
};

/* Of one router, or of all (NULL). Blocks. What cannot be had is told by it, and is then what it
 * was in ret before: zeroed, or an earlier one. What the clock shows is remembered. */
void summary_take(struct summary *ret, struct registry *registry,
		  const struct config_conductor *config, const char *router, int64_t now_s);

/* Every router onboards, and something still listens where none of them needs it. */
bool summary_warns_of_old_ports(const struct summary *summary);

/* GET /v1/onboarding. On the loop. */
cJSON *summary_to_json(const struct summary *summary, const struct conductor *c);
/* A part of GET /metrics. On the loop. */
void summary_write_metrics(const struct summary *summary, const struct conductor *c, FILE *out);
