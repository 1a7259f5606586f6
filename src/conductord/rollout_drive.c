/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/rollout_drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/tunnels/authorized_keys.h"
#include "conductord/tunnel_book.h"

static void drop_held(struct rollout_held **at)
{
	struct rollout_held *d = *at;

	*at = d->next;
	rollout_held_let_go(d);
	free(d);
}

void rollout_drive_release(struct rollout_drive *d)
{
	while (d->first)
		drop_held(&d->first);
	free(d->rows);
	d->rows = NULL;
}

/* Stepping. */

static void keep_reason(struct rollout_held *d, const struct rollout_answer *answer)
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

static void take_answer(struct rollout_held *d, const struct rollout_answer *answer,
			struct rollout_time now)
{
	if (!d->asked_ms || answer->member >= d->rollout.plan.n)
		return;
	d->asked_ms[answer->member] = now.steady_ms;
	rollout_member_told(&d->rollout, answer->member, answer->told, now);
	if (answer->reason[0] &&
	    rollout_member_state(&d->rollout, answer->member) == ROLLOUT_FAILED)
		keep_reason(d, answer);
}

static void tell(struct rollout_held *d, uint32_t member, enum rollout_told told,
		 struct rollout_time now)
{
	const struct rollout_answer answer = {.member = member, .told = told};

	take_answer(d, &answer, now);
}

/* Finds the member's nodes. What is wrong with them is told at once: false. */
static bool find_nodes(struct rollout_drive *drive, struct rollout_held *d, uint32_t member,
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
static void probe(struct rollout_drive *drive, struct rollout_held *d, struct rollout_time now)
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

static void step_rollout(struct rollout_drive *drive, struct rollout_held *d,
			 const struct rollout_drive_answer *answers, struct rollout_time now)
{
	for (const struct rollout_drive_answer *a = answers; a; a = a->next)
		if (strcmp(a->name, d->name) == 0 && a->created_s == d->created_s)
			take_answer(d, &a->answer, now);
	probe(drive, d, now);
	rollout_tick(&d->rollout, now);
}

/* Sending. */

/* One that cannot be asked has its answer for the next round already. */
static void prepare_visit(struct rollout_drive *drive, struct rollout_held *d,
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

static void ask_who_works(struct rollout_drive *drive, struct rollout_held *d,
			  struct rollout_time now)
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
		visit = rollout_held_visit(d, i, ROLLOUT_ERRAND_ASK);
		if (!visit)
			return;
		left--;
		prepare_visit(drive, d, visit, now);
	}
}

static void send_out(struct rollout_drive *drive, struct rollout_held *d, struct rollout_time now)
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

static struct rollout_held *find_held(struct rollout_drive *drive,
				      const struct registry_rollout *row)
{
	struct rollout_held *d = drive->first;

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
		      const struct rollout_drive_answer *answers, struct rollout_time now)
{
	struct rollout_held *d = find_held(drive, row);
	bool was_free = d && rollout_held_is_free(d, drive->conductor, row, now.steady_ms);

	if (!d)
		return;
	if (d->is_held &&
	    (strcmp(row->holder, drive->conductor) != 0 || row->revision != d->revision))
		rollout_held_let_go(d);
	if (!d->is_held && was_free)
		rollout_held_take(drive->registry, d, row, now.steady_ms);
	if (!d->is_held)
		return;
	step_rollout(drive, d, answers, now);
	if (rollout_held_write(drive->registry, d, now.steady_ms) < 0)
		rollout_held_let_go(d);
	else
		send_out(drive, d, now);
}

/* Those that are over, or deleted, once the loop has looked at them. */
static void forget_old(struct rollout_drive *drive, const struct registry_rollout *rows, size_t n)
{
	struct rollout_held **at = &drive->first;

	while (*at) {
		bool is_there = false;

		for (size_t i = 0; i < n; i++)
			is_there = is_there || (rows[i].head.stage != ROLLOUT_OVER &&
						strcmp(rows[i].name, (*at)->name) == 0 &&
						rows[i].created_s == (*at)->created_s);
		if (is_there)
			at = &(*at)->next;
		else
			drop_held(at);
	}
}

/* One that is lost is asked for again, later. */
static void free_answers(struct rollout_drive_answer *answers)
{
	while (answers) {
		struct rollout_drive_answer *answer = answers;

		answers = answer->next;
		free(answer);
	}
}

bool rollout_drive_round(struct rollout_drive *drive, struct rollout_drive_answer *answers,
			 int64_t steady_ms, int64_t wall_s)
{
	const struct rollout_time now = {.wall_s = wall_s, .steady_ms = steady_ms};
	struct registry_rollout *rows = NULL;
	size_t n = 0;
	struct err err;
	bool any = false;

	drive->was_read = registry_rollouts_list(drive->registry, &rows, &n, &err) == 0;
	if (!drive->was_read) {
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
	free(drive->rows);
	drive->rows = rows;
	drive->n_rows = n;
	free_answers(answers);
	return any;
}
