/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enrolment_failures.h - counts failed handshakes of strangers by address and minute, and writes
 * the counts in batches, so that a flood costs one transaction now and then.
 */
#pragma once

#include "base/work_pool.h"
#include "conductor/registry/registry_audit.h"

#define ENROLMENT_FAILURES_FLUSH_MS 10000
#define ENROLMENT_FAILURES_MAX      1024 /* addresses in one batch; more are counted as "others" */

struct enrolment_failures {
	struct registry *registry;
	struct work_pool *pool; /* the thread that asks the registry */
	uv_loop_t *loop;
	uv_timer_t timer;
	struct work work;
	struct registry_failures *rows; /* what is being counted */
	size_t n;
	struct registry_failures *batch; /* the batch that a worker writes */
	size_t n_batch;
	struct err err;
	bool working;
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

void enrolment_failures_init(struct enrolment_failures *f, uv_loop_t *loop, struct work_pool *pool,
			     struct registry *registry);
/* Writes first what was counted. */
void enrolment_failures_close(struct enrolment_failures *f, void (*closed)(void *owner),
			      void *owner);
void enrolment_failures_count(struct enrolment_failures *f, const char *address);
