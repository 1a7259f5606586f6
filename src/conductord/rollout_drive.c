/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/rollout_drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/zone.h"
#include "conductor/tunnels/authorized_keys.h"
#include "conductord/tunnel_book.h"

static void free_visits(struct rollout_visit **list)
{
	while (*list) {
		struct rollout_visit *visit = *list;

		*list = visit->next;
		free(visit);
	}
}

static void let_go(struct driven *d)
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

static void drop_driven(struct driven **at)
{
	struct driven *d = *at;

	*at = d->next;
	let_go(d);
	free(d);
}

void rollout_drive_release(struct rollout_drive *d)
{
	while (d->first)
		drop_driven(&d->first);
}

/* What the core says. */

static void on_changed(void *owner, uint32_t member)
{
	struct driven *d = owner;

	d->dirty[member / REGISTRY_ROLLOUT_BLOCK] = true;
	d->is_dirty = true;
}

static struct rollout_visit *new_visit(struct driven *d, uint32_t member,
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
	struct driven *d = owner;
	struct rollout_visit *visit = new_visit(d, member, errands[order]);

	if (!visit)
		return;
	visit->next = d->orders;
	d->orders = visit;
}

/* Reading. */

static int allocate(struct driven *d, uint32_t n, uint8_t **ret_members, struct err *err)
{
	d->names = calloc(n, sizeof(*d->names));
	d->asked_ms = calloc(n, sizeof(*d->asked_ms));
	d->dirty = calloc(n / REGISTRY_ROLLOUT_BLOCK + 1, sizeof(*d->dirty));
	*ret_members = calloc(n, 1);
	if (d->names && d->asked_ms && d->dirty && *ret_members)
		return 0;
	return err_set(err, -ENOMEM, "out of memory");
}

static int load(struct rollout_drive *drive, struct driven *d, const struct registry_rollout *row,
		int64_t steady_ms, struct err *err)
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
		rc = registry_rollout_members(drive->registry, d->name, row->plan.n, d->names,
					      members, err);
	if (rc == 0)
		rc = rollout_init(&d->rollout, &row->plan, &row->head, members, &calls);
	d->rollout.zone = d->zone;
	free(members);
	return rc;
}

/* Is it this conductor's, or nobody's any more? */
static bool is_free(const struct rollout_drive *drive, struct driven *d,
		    const struct registry_rollout *row, int64_t steady_ms)
{
	if (d->beat != row->beat) {
		d->beat = row->beat;
		d->beat_ms = steady_ms;
	}
	return !row->holder[0] || strcmp(row->holder, drive->conductor) == 0 ||
	       steady_ms - d->beat_ms >= ROLLOUT_STALE_MS;
}

static void take_over(struct rollout_drive *drive, struct driven *d,
		      const struct registry_rollout *row, int64_t steady_ms)
{
	struct err err;
	int rc = registry_rollout_take(drive->registry, d->name, row->beat, &err);

	if (rc == 0)
		rc = load(drive, d, row, steady_ms, &err);
	if (rc == 0)
		return;
	log_debug("rollout %s: %s", d->name, err.text);
	let_go(d);
}

/* Stepping. */

static void keep_reason(struct driven *d, const struct rollout_answer *answer)
{
	struct registry_rollout_reason *more =
		realloc(d->reasons, (d->n_reasons + 1) * sizeof(*more));

	if (!more)
		return;
	d->reasons = more;
	more[d->n_reasons].member = answer->member;
	(void)snprintf(more[d->n_reasons].text, sizeof(more->text), "%s", answer->reason);
	d->n_reasons++;
}

static void take_answer(struct driven *d, const struct rollout_answer *answer,
			struct rollout_time now)
{
	if (!d->asked_ms || answer->member >= d->rollout.plan.n)
		return;
	d->asked_ms[answer->member] = now.steady_ms;
	rollout_member_told(&d->rollout, answer->member, answer->told, now);
	if (answer->told == ROLLOUT_TOLD_FAILED &&
	    rollout_member_state(&d->rollout, answer->member) == ROLLOUT_FAILED)
		keep_reason(d, answer);
}

static void tell(struct driven *d, uint32_t member, enum rollout_told told, struct rollout_time now)
{
	const struct rollout_answer answer = {.member = member, .told = told};

	take_answer(d, &answer, now);
}

/* Finds the member's nodes. What is wrong with them is told at once: false. */
static bool find_nodes(struct rollout_drive *drive, struct driven *d, uint32_t member,
		       struct router_nodes *nodes, enum rollout_told *ret_told)
{
	bool is_enrolled = false;
	struct err err;
	int rc = router_nodes_mean(nodes, d->names[member], NULL, &err);

	if (rc == 0)
		rc = router_nodes_list(drive->registry, nodes, &err);
	for (size_t i = 0; i < nodes->n; i++)
		is_enrolled = is_enrolled || nodes->each[i].enrolled;
	*ret_told = rc == -ENOENT || rc == -EINVAL ? ROLLOUT_TOLD_GONE : ROLLOUT_TOLD_LOST;
	return rc == 0 && is_enrolled;
}

static bool has_tunnels(struct rollout_drive *drive, const struct router_nodes *nodes)
{
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];

	for (size_t i = 0; i < nodes->n; i++) {
		if (!nodes->each[i].enrolled)
			continue;
		authorized_key_fingerprint(nodes->each[i].ssh_key, fingerprint);
		if (!tunnel_book_find(drive->book, fingerprint))
			return false;
	}
	return true;
}

/* Those whose turn has come and that had no tunnel, one after the other. */
static void probe(struct rollout_drive *drive, struct driven *d, struct rollout_time now)
{
	unsigned left = MIN(ROLLOUT_PROBES, d->rollout.counts[ROLLOUT_UNREACHABLE]);
	uint32_t n = d->rollout.plan.n;

	for (uint32_t i = 0; i < n && left > 0; i++) {
		uint32_t member = d->probed++ % n;
		struct router_nodes nodes;
		enum rollout_told told;

		if (rollout_member_state(&d->rollout, member) != ROLLOUT_UNREACHABLE)
			continue;
		left--;
		if (find_nodes(drive, d, member, &nodes, &told))
			told = has_tunnels(drive, &nodes) ? ROLLOUT_TOLD_BACK : ROLLOUT_TOLD_LOST;
		if (told != ROLLOUT_TOLD_LOST)
			tell(d, member, told, now);
	}
}

static void step_rollout(struct rollout_drive *drive, struct driven *d,
			 const struct driven_answer *answers, struct rollout_time now)
{
	for (const struct driven_answer *a = answers; a; a = a->next)
		if (strcmp(a->name, d->name) == 0 && a->created_s == d->created_s)
			take_answer(d, &a->answer, now);
	probe(drive, d, now);
	rollout_tick(&d->rollout, now);
}

/* Writing. Nothing is sent that is not written. */

static bool has_changed(const struct driven *d)
{
	const struct rollout_head *now = &d->rollout.head;
	const struct rollout_head *was = &d->written;

	return d->is_dirty || d->n_reasons > 0 || now->stage != was->stage ||
	       now->stop != was->stop || now->phase != was->phase || now->approved != was->approved;
}

static int write_down(struct rollout_drive *drive, struct driven *d, int64_t steady_ms)
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
	rc = registry_rollout_write(drive->registry, d->name, &changes, &err);
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

/* Sending. */

/* One that cannot be asked has its answer for the next round already. */
static void prepare_visit(struct rollout_drive *drive, struct driven *d,
			  struct rollout_visit *visit, struct rollout_time now)
{
	enum rollout_told told;

	if (find_nodes(drive, d, visit->member, &visit->nodes, &told)) {
		d->asked_ms[visit->member] = now.steady_ms + ROLLOUT_VISIT_MS;
		visit->next = d->visits;
		d->visits = visit;
		return;
	}
	tell(d, visit->member, told, now);
	free(visit);
}

static void ask_who_works(struct rollout_drive *drive, struct driven *d, struct rollout_time now)
{
	const uint32_t *counts = d->rollout.counts;
	const int64_t wait_ms =
		MIN(ROLLOUT_ASK_MAX_MS,
		    ROLLOUT_ASK_MS + ROLLOUT_ASK_EACH_MS * ((int64_t)counts[ROLLOUT_ORDERED] +
							    counts[ROLLOUT_DOWNLOADING]));
	unsigned left = ROLLOUT_VISITS;

	for (uint32_t i = 0; i < d->rollout.next && left > 0; i++) {
		struct rollout_visit *visit;

		if (!rollout_member_is_at_work(&d->rollout, i) ||
		    now.steady_ms - d->asked_ms[i] < wait_ms)
			continue;
		visit = new_visit(d, i, ROLLOUT_ERRAND_ASK);
		if (!visit)
			return;
		left--;
		prepare_visit(drive, d, visit, now);
	}
}

static void send_out(struct rollout_drive *drive, struct driven *d, struct rollout_time now)
{
	struct rollout_visit *orders = d->orders;

	d->orders = NULL;
	while (orders) {
		struct rollout_visit *visit = orders;

		orders = visit->next;
		prepare_visit(drive, d, visit, now);
	}
	ask_who_works(drive, d, now);
}

/* One round. */

static struct driven *find_driven(struct rollout_drive *drive, const struct registry_rollout *row)
{
	struct driven *d = drive->first;

	while (d && (strcmp(d->name, row->name) != 0 || d->created_s != row->created_s))
		d = d->next;
	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	memcpy(d->name, row->name, sizeof(d->name));
	d->created_s = row->created_s;
	d->beat = -1;
	d->next = drive->first;
	drive->first = d;
	return d;
}

static void drive_one(struct rollout_drive *drive, const struct registry_rollout *row,
		      const struct driven_answer *answers, struct rollout_time now)
{
	struct driven *d = find_driven(drive, row);
	bool was_free = d && is_free(drive, d, row, now.steady_ms);

	if (!d)
		return;
	if (d->is_held &&
	    (strcmp(row->holder, drive->conductor) != 0 || row->revision != d->revision))
		let_go(d);
	if (!d->is_held && was_free)
		take_over(drive, d, row, now.steady_ms);
	if (!d->is_held)
		return;
	step_rollout(drive, d, answers, now);
	if (write_down(drive, d, now.steady_ms) < 0)
		let_go(d);
	else
		send_out(drive, d, now);
}

/* Those that are over, or deleted, once the loop has looked at them. */
static void forget_old(struct rollout_drive *drive, const struct registry_rollout *rows, size_t n)
{
	struct driven **at = &drive->first;

	while (*at) {
		bool is_there = false;

		for (size_t i = 0; i < n; i++)
			is_there = is_there || (rows[i].head.stage != ROLLOUT_OVER &&
						strcmp(rows[i].name, (*at)->name) == 0 &&
						rows[i].created_s == (*at)->created_s);
		if (is_there)
			at = &(*at)->next;
		else
			drop_driven(at);
	}
}

/* One that is lost is asked for again, later. */
static void free_answers(struct driven_answer *answers)
{
	while (answers) {
		struct driven_answer *answer = answers;

		answers = answer->next;
		free(answer);
	}
}

bool rollout_drive_round(struct rollout_drive *drive, struct driven_answer *answers,
			 int64_t steady_ms, int64_t wall_s)
{
	const struct rollout_time now = {.wall_s = wall_s, .steady_ms = steady_ms};
	struct registry_rollout *rows = NULL;
	size_t n = 0;
	struct err err;
	bool any = false;

	if (registry_rollouts_list(drive->registry, &rows, &n, &err) < 0) {
		free_answers(answers);
		return drive->first;
	}
	forget_old(drive, rows, n);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].head.stage == ROLLOUT_OVER)
			continue;
		any = true;
		drive_one(drive, &rows[i], answers, now);
	}
	free(rows);
	free_answers(answers);
	return any;
}
