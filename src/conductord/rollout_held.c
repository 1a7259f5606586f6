/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/rollout_held.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/zone.h"

static void free_visits(struct rollout_visit **list)
{
	while (*list) {
		struct rollout_visit *visit = *list;

		*list = visit->next;
		free(visit);
	}
}

void rollout_held_let_go(struct rollout_held *d)
{
	if (!d->is_held)
		return;
	d->is_held = false;
	free_visits(&d->orders);
	free_visits(&d->visits);
	rollout_release(&d->rollout);
	zone_freep(&d->zone);
	free(d->names);
	free(d->asked_ms);
	free(d->dirty);
	free(d->reasons);
	d->names = NULL;
	d->asked_ms = NULL;
	d->dirty = NULL;
	d->reasons = NULL;
	d->n_reasons = 0;
}

/* What the core says. */

static void on_changed(void *owner, uint32_t member)
{
	struct rollout_held *d = owner;

	d->dirty[member / REGISTRY_ROLLOUT_BLOCK] = true;
	d->is_dirty = true;
}

struct rollout_visit *rollout_held_visit(struct rollout_held *d, uint32_t member,
					 enum rollout_errand errand)
{
	struct rollout_visit *visit = calloc(1, sizeof(*visit));

	if (!visit)
		return NULL;
	visit->member = member;
	visit->errand = errand;
	visit->version = d->version;
	visit->sequenced = d->rollout.plan.sequenced;
	return visit;
}

/* Without memory it is as if the order had been lost: the member is asked, and has nothing. */
static void on_order(void *owner, enum rollout_order order, uint32_t member)
{
	static const enum rollout_errand errands[] = {
		[ROLLOUT_ORDER] = ROLLOUT_ERRAND_ORDER,
		[ROLLOUT_HOLD] = ROLLOUT_ERRAND_HOLD,
		[ROLLOUT_GO_ON] = ROLLOUT_ERRAND_GO_ON,
	};
	struct rollout_held *d = owner;
	struct rollout_visit *visit = rollout_held_visit(d, member, errands[order]);

	if (!visit)
		return;
	visit->next = d->orders;
	d->orders = visit;
}

/* Reading. */

static int allocate(struct rollout_held *d, uint32_t n, uint8_t **ret_members, struct err *err)
{
	d->names = calloc(n, sizeof(*d->names));
	d->asked_ms = calloc(n, sizeof(*d->asked_ms));
	d->dirty = calloc(n / REGISTRY_ROLLOUT_BLOCK + 1, sizeof(*d->dirty));
	*ret_members = calloc(n, 1);
	if (d->names && d->asked_ms && d->dirty && *ret_members)
		return 0;
	return err_set(err, -ENOMEM, "out of memory");
}

static int load(struct registry *registry, struct rollout_held *d,
		const struct registry_rollout *row, int64_t steady_ms, struct err *err)
{
	const struct rollout_calls calls = {on_changed, on_order, d};
	uint8_t *members = NULL;
	int rc;

	d->is_held = true;
	d->is_dirty = false;
	d->probed = 0;
	d->revision = row->revision;
	d->written = row->head;
	d->written_ms = steady_ms;
	memcpy(d->version, row->version, sizeof(d->version));
	rc = allocate(d, row->plan.n, &members, err);
	if (rc == 0 && row->zone[0])
		rc = zone_load(&d->zone, row->zone, err);
	if (rc == 0)
		rc = registry_rollout_members(registry, d->name, row->plan.n, d->names, members,
					      err);
	if (rc == 0)
		rc = rollout_init(&d->rollout, &row->plan, &row->head, members, &calls);
	d->rollout.zone = d->zone;
	free(members);
	return rc;
}

bool rollout_held_is_free(struct rollout_held *d, const char *conductor,
			  const struct registry_rollout *row, int64_t steady_ms)
{
	if (d->beat != row->beat) {
		d->beat = row->beat;
		d->beat_ms = steady_ms;
	}
	return !row->holder[0] || strcmp(row->holder, conductor) == 0 ||
	       steady_ms - d->beat_ms >= ROLLOUT_STALE_MS;
}

void rollout_held_take(struct registry *registry, struct rollout_held *d,
		       const struct registry_rollout *row, int64_t steady_ms)
{
	struct err err;
	int rc = registry_rollout_take(registry, d->name, row->beat, &err);

	if (rc == 0)
		rc = load(registry, d, row, steady_ms, &err);
	if (rc == 0)
		return;
	log_debug("rollout %s: %s", d->name, err.text);
	rollout_held_let_go(d);
}

/* Writing. */

static bool has_changed(const struct rollout_held *d)
{
	const struct rollout_head *now = &d->rollout.head;
	const struct rollout_head *was = &d->written;

	return d->is_dirty || d->n_reasons > 0 || now->stage != was->stage ||
	       now->stop != was->stop || now->phase != was->phase || now->approved != was->approved;
}

int rollout_held_write(struct registry *registry, struct rollout_held *d, int64_t steady_ms)
{
	const struct registry_rollout_changes changes = {
		.rollout = &d->rollout,
		.revision = d->revision,
		.dirty = d->is_dirty ? d->dirty : NULL,
		.reasons = d->reasons,
		.n_reasons = d->n_reasons,
	};
	struct err err;
	int rc;

	if (!has_changed(d) && !d->orders && steady_ms - d->written_ms < ROLLOUT_BEAT_MS)
		return 0;
	rc = registry_rollout_write(registry, d->name, &changes, &err);
	if (rc < 0) {
		log_debug("rollout %s: %s", d->name, err.text);
		return rc;
	}
	d->has_halted = d->has_halted || (d->rollout.head.stop == ROLLOUT_HALTED &&
					  d->written.stop != ROLLOUT_HALTED);
	d->is_over = rollout_is_over(&d->rollout);
	d->written = d->rollout.head;
	d->written_ms = steady_ms;
	d->is_dirty = false;
	d->n_reasons = 0;
	memset(d->dirty, 0, d->rollout.plan.n / REGISTRY_ROLLOUT_BLOCK + 1);
	return 0;
}
