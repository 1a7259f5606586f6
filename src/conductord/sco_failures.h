/* sco_failures.h - strangers' failed handshakes, counted by address and minute and written in
 * batches: a flood costs no more than one transaction now and then.
 */
#pragma once

#include "core/work_pool.h"
#include "onboarding/conductor/registry_audit.h"

#define SCO_FAILURES_FLUSH_MS 10000
#define SCO_FAILURES_MAX      1024 /* addresses in one batch; more are counted as "others" */

struct sco_failures {
	struct registry *registry;
	struct work_pool *pool; /* that asks it */
	uv_loop_t *loop;
	uv_timer_t timer;
	struct work work;
	struct registry_failures *rows; /* that are being counted */
	size_t n;
	struct registry_failures *batch; /* that a worker writes */
	size_t n_batch;
	struct err err;
	bool working;
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

void sco_failures_init(struct sco_failures *f, uv_loop_t *loop, struct work_pool *pool,
		       struct registry *registry);
/* Writes what was counted first. */
void sco_failures_close(struct sco_failures *f, void (*closed)(void *owner), void *owner);
void sco_failures_count(struct sco_failures *f, const char *address);
