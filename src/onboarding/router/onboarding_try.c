/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A token is tried: an attempt shows it to conductors, until it is enrolled or refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "onboarding/router/onboarding_private.h"
#include "onboarding/router/onboarding_rules.h"

#define AGAIN_MS 10000 /* until an attempt that could not be started is started again */

static void on_attempt_closed(void *owner)
{
	struct onboarding *o = owner;

	o->attempt = NULL;
	o->token_attempt_is_closing = false;
	if (o->closing > 0)
		onboarding_part_closed(o);
	else if (onboarding_is_tried(onboarding_records_tried(&o->records)))
		onboarding_try(o);
}

void onboarding_end_attempt(struct onboarding *o)
{
	if (!o->attempt || o->token_attempt_is_closing)
		return;
	o->token_attempt_is_closing = true;
	token_attempt_close(o->attempt, on_attempt_closed);
}

static void take_conductors(struct onboarding_record *record, const struct message_accept *accept)
{
	struct conductor_list *list = &record->conductors;

	*list = (struct conductor_list){.n = accept->n_conductors};
	for (size_t i = 0; i < list->n; i++)
		list->each[i].at = accept->conductors[i];
}

/* onboarding-next.json has done its work. If it cannot be removed, the next start does it. */
static void remove_next(struct onboarding *o)
{
	struct err err;

	if (onboarding_records_drop_next(&o->records, &err) < 0)
		onboarding_tell_disk_problem(&err);
}

/* A conductor has enrolled this router by the token that was tried. Its record becomes the one in
 * force, and the tunnels to its conductors replace those there were.
 *
 * On disk onboarding.json is written first, and onboarding-next.json removed only after that. So
 * a power cut between them, or a disk that takes no write, leaves at least one file that has the
 * token: with both, the next start finds the same token in them and changes nothing. */
static void enrol(struct onboarding *o, const struct message_accept *accept,
		  const char *key_exchange)
{
	struct onboarding_record *in_force = &o->records.now;
	bool is_on_disk;

	onboarding_records_promote(&o->records);
	take_conductors(in_force, accept);
	(void)snprintf(in_force->key_exchange, sizeof(in_force->key_exchange), "%s", key_exchange);
	is_on_disk = onboarding_enter(o, in_force, ONBOARDING_ENROLLED, "");
	tunnel_set_start(&o->tunnels, &in_force->conductors);
	onboarding_tell_state(o, in_force);
	if (is_on_disk)
		remove_next(o);
}

static void refuse(struct onboarding *o, const char *reason)
{
	struct onboarding_record *record = onboarding_records_tried(&o->records);

	onboarding_record_forget_token(record);
	(void)onboarding_set_state(o, record, ONBOARDING_REFUSED, reason);
}

/* The disk already has the state "retrying". The reason may differ at each try, and is not
 * written each time. */
static void retry(struct onboarding *o, const char *reason)
{
	struct onboarding_record *record = onboarding_records_tried(&o->records);

	if (record->state != ONBOARDING_RETRYING) {
		(void)onboarding_set_state(o, record, ONBOARDING_RETRYING, reason);
	} else if (strcmp(record->reason, reason) != 0) {
		(void)snprintf(record->reason, sizeof(record->reason), "%s", reason);
		onboarding_tell_state(o, record);
	}
}

static void on_told(void *owner, enum sco_result result, const struct message_accept *accept,
		    const char *key_exchange, const char *reason)
{
	struct onboarding *o = owner;

	if (result == SCO_RESULT_RETRY) {
		retry(o, reason);
		return;
	}
	onboarding_end_attempt(o);
	if (result == SCO_RESULT_ENROLLED)
		enrol(o, accept, key_exchange);
	else
		refuse(o, reason);
}

static void on_again(uv_timer_t *timer)
{
	struct onboarding *o = container_of(timer, struct onboarding, again);

	if (onboarding_is_tried(onboarding_records_tried(&o->records)))
		onboarding_try(o);
}

/* The attempt could not be started for lack of memory, or because the configuration lacks
 * something: that is no fault of the token, unless the token itself is gone. */
static void cannot_try(struct onboarding *o, int code, const char *reason)
{
	if (code == -ENOENT) {
		refuse(o, reason);
		return;
	}
	retry(o, reason);
	(void)uv_timer_start(&o->again, on_again, AGAIN_MS, 0);
}

/* One attempt at a time: a TPM has one user. */
void onboarding_try(struct onboarding *o)
{
	const struct token_attempt_options options = {
		.loop = o->options.loop,
		.config = o->options.config,
		.asset_id = o->options.asset_id,
		.key_file = o->key_file,
		.told = on_told,
		.owner = o,
	};
	struct err err;
	int rc;

	(void)uv_timer_stop(&o->again);
	if (o->attempt) {
		onboarding_end_attempt(o);
		return;
	}
	rc = token_attempt_start(&o->attempt, &options, onboarding_records_tried(&o->records),
				 &err);
	if (rc < 0)
		cannot_try(o, rc, err.text);
}
