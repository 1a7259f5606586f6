/* SPDX-License-Identifier: GPL-3.0-or-later */
/* summary.h - how onboarding stands on this conductor: counts of the registry and of port 930,
 * and what an operator should be told.
 *
 * The registry is asked on a worker. GET /v1/status and GET /metrics cannot wait for it: they
 * show the last summary, at most a minute old.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdio.h>

#include "conductor/registry/registry_conductors.h"
#include "conductor/registry/registry_counts.h"
#include "config/config.h"

struct conductor;

#define SUMMARY_PROBLEM_SIZE 256

struct summary {
	int64_t at_s; /* 0 = not taken yet */
	int error; /* -ENOENT: there is no such router; else 0, or why the registry does not answer
		    */
	char problem[SUMMARY_PROBLEM_SIZE]; /* why the registry does not answer; "" = it does */
	struct registry_counts counts;
	int64_t certificate_ends_s; /* 0 = the certificate cannot be used, for this reason: */
	char certificate_problem[SUMMARY_PROBLEM_SIZE];
	char clock_problem[SUMMARY_PROBLEM_SIZE]; /* the clock was set back; "" = it was not */
	bool old_ports;                           /* a program listens on port 4505 or 4506 */
	struct registry_own_row own_row;          /* how this conductor's row stands */
};

/* Takes the summary of one router, or of all (NULL). self: this conductor as it is registered; NULL
 * = not yet. Blocks. Values that cannot be had keep what
 * ret had before (zero, or an earlier summary), and problem says why. Also stores the present
 * time as the latest that was seen (registry_clock.h). */
void summary_take(struct summary *ret, struct registry *registry,
		  const struct config_conductor *config, const struct registry_conductor *self,
		  const char *router, int64_t now_s);

/* Does every router onboard by SCO, while a program still listens on the old ports? */
bool summary_warns_of_old_ports(const struct summary *summary);

#define SUMMARY_OWN_ROW_SIZE 640
/* What an operator is told of this conductor's row; "" = it stands. */
void summary_own_row_text(const struct summary *summary, const char *name,
			  char ret[SUMMARY_OWN_ROW_SIZE]);

/* GET /v1/onboarding. On the loop. */
cJSON *summary_to_json(const struct summary *summary, const struct conductor *c);
/* A part of GET /metrics. On the loop. */
void summary_write_metrics(const struct summary *summary, const struct conductor *c, FILE *out);
