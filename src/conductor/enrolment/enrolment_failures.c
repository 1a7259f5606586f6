/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/enrolment_failures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log_events.h"
#include "base/macros.h"

static void flush(struct enrolment_failures *f);

static void on_timer_closed(uv_handle_t *handle)
{
	struct enrolment_failures *f = container_of(handle, struct enrolment_failures, timer);

	free(f->rows);
	f->closed(f->owner);
}

static void write_batch(struct work *work)
{
	struct enrolment_failures *f = container_of(work, struct enrolment_failures, work);

	(void)registry_failures_add(f->registry, f->batch, f->n_batch, time(NULL), &f->err);
}

static void on_done(struct work *work)
{
	struct enrolment_failures *f = container_of(work, struct enrolment_failures, work);

	if (f->err.code < 0)
		log_event(LOG_REGISTRY_PROBLEM, &(struct log_fields){.reason = f->err.text},
			  "failed handshakes could not be counted: %s", f->err.text);
	free(f->batch);
	f->batch = NULL;
	f->working = false;
	if (f->closing)
		flush(f);
}

static void flush(struct enrolment_failures *f)
{
	if (f->working)
		return;
	if (f->n == 0) {
		if (f->closing)
			uv_close((uv_handle_t *)&f->timer, on_timer_closed);
		return;
	}
	f->batch = f->rows;
	f->n_batch = f->n;
	f->rows = NULL;
	f->n = 0;
	f->working = true;
	memset(&f->err, 0, sizeof(f->err));
	work_pool_submit(f->pool, f->loop, &f->work, write_batch, on_done);
}

static void on_timer(uv_timer_t *timer)
{
	flush(container_of(timer, struct enrolment_failures, timer));
}

void enrolment_failures_init(struct enrolment_failures *f, uv_loop_t *loop, struct work_pool *pool,
			     struct registry *registry)
{
	memset(f, 0, sizeof(*f));
	f->registry = registry;
	f->pool = pool;
	f->loop = loop;
	(void)uv_timer_init(loop, &f->timer);
	(void)uv_timer_start(&f->timer, on_timer, ENROLMENT_FAILURES_FLUSH_MS,
			     ENROLMENT_FAILURES_FLUSH_MS);
}

void enrolment_failures_close(struct enrolment_failures *f, void (*closed)(void *owner),
			      void *owner)
{
	f->closing = true;
	f->closed = closed;
	f->owner = owner;
	flush(f);
}

static struct registry_failures *find(struct enrolment_failures *f, const char *address,
				      int64_t minute_s)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->rows[i].minute_s == minute_s && strcmp(f->rows[i].address, address) == 0)
			return &f->rows[i];
	return NULL;
}

static struct registry_failures *add(struct enrolment_failures *f, const char *address,
				     int64_t minute_s)
{
	struct registry_failures *row = &f->rows[f->n++];

	*row = (struct registry_failures){.minute_s = minute_s};
	(void)snprintf(row->address, sizeof(row->address), "%s", address);
	return row;
}

void enrolment_failures_count(struct enrolment_failures *f, const char *address)
{
	const int64_t now_s = time(NULL);
	const int64_t minute_s = now_s - now_s % 60;
	char key[REGISTRY_ADDRESS_SIZE];
	struct registry_failures *row;

	registry_failures_address(address, key);
	if (!f->rows)
		f->rows = calloc(ENROLMENT_FAILURES_MAX + 1, sizeof(*f->rows));
	if (!f->rows)
		return;
	row = find(f, key, minute_s);
	if (!row && f->n < ENROLMENT_FAILURES_MAX)
		row = add(f, key, minute_s);
	/* The last row counts the failures of all addresses that have no row of their own. */
	if (!row && f->n == ENROLMENT_FAILURES_MAX)
		row = add(f, "others", minute_s);
	if (!row)
		row = &f->rows[ENROLMENT_FAILURES_MAX];
	row->n++;
}
