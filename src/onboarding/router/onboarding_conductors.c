/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which conductors this router knows: a conductor tells it when there are others, and a tunnel that
 * comes up lets it forget those that leave. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "onboarding/router/conductor_choice.h"
#include "onboarding/router/onboarding_private.h"
#include "onboarding/router/onboarding_rules.h"

#define LINE_SIZE 1024

static void ask_which_are_up(const struct onboarding *o, int up_by[static KNOWN_CONDUCTORS_MAX])
{
	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		up_by[i] = tunnel_set_up_by(&o->tunnels, i);
}

/* "conductor1 192.0.2.1 port 930, ...": those of the list that leave, or the others. */
static void name_them(const struct conductor_list *list, bool leave, char ret[static LINE_SIZE])
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < list->n && used < LINE_SIZE; i++) {
		const struct known_conductor *c = &list->each[i];

		if (c->leaves == leave)
			used += (size_t)snprintf(ret + used, LINE_SIZE - used, "%s%s%s%s port %u",
						 used ? ", " : "", c->name, c->name[0] ? " " : "",
						 c->at.host, c->at.port);
	}
}

static void tell_change(const struct conductor_list *list)
{
	char listed[LINE_SIZE];
	char leaving[LINE_SIZE];

	name_them(list, false, listed);
	name_them(list, true, leaving);
	log_event(LOG_CONDUCTORS_CHANGED, NULL, "the conductors of this router are %s%s%s", listed,
		  leaving[0] ? "; kept until one of them is reached: " : "", leaving);
}

/* On disk first: then the tunnels follow what is there, wherever this router is killed. */
static int keep_list(struct onboarding *o, const struct conductor_list *list, struct err *err)
{
	struct onboarding_record *now = &o->records.now;
	const struct conductor_list before = now->conductors;
	int rc;

	now->conductors = *list;
	rc = onboarding_records_save(&o->records, now, err);
	if (rc < 0) {
		now->conductors = before;
		return rc;
	}
	tunnel_set_change(&o->tunnels, &now->conductors);
	tell_change(&now->conductors);
	o->options.changed(o->options.owner);
	return 0;
}

static int hear(struct onboarding *o, const struct conductor_list *heard, struct err *err)
{
	int up_by[KNOWN_CONDUCTORS_MAX];
	struct conductor_list list;

	ask_which_are_up(o, up_by);
	if (conductor_choose(&o->records.now.conductors, up_by, heard, &list) == CONDUCTORS_STAY)
		return 0;
	return keep_list(o, &list, err);
}

/* Also while a newer token is tried: who tells is a conductor of the record in force. */
int onboarding_hear_of_conductors(struct onboarding *o, struct span text, struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	struct conductor_list heard;
	int rc;

	if (!onboarding_is_enrolled(&o->records.now))
		return err_set(err, -EBUSY, "this router is %s",
			       onboarding_state_name(o->records.now.state));
	rc = json_parse(&json, text, ONBOARDING_CONDUCTORS_MAX, err);
	if (rc == 0)
		rc = conductor_list_read_told(json, &heard, err);
	return rc < 0 ? rc : hear(o, &heard, err);
}

/* If the disk does not take it they stay, and leave with the next tunnel that comes up. */
void onboarding_settle_conductors(struct onboarding *o)
{
	struct conductor_list list = o->records.now.conductors;
	int up_by[KNOWN_CONDUCTORS_MAX];
	struct err err;

	ask_which_are_up(o, up_by);
	if (conductor_choice_settle(&list, up_by)) {
		if (keep_list(o, &list, &err) < 0)
			onboarding_tell_disk_problem(&err);
	} else {
		tunnel_set_change(&o->tunnels, &o->records.now.conductors);
	}
}

/* Does each have a problem, so that none was simply not tried yet? */
static bool all_have_failed(const struct onboarding *o)
{
	for (size_t i = 0; i < o->records.now.conductors.n; i++)
		if (!tunnel_set_has_failed(&o->tunnels, i))
			return false;
	return o->records.now.conductors.n > 0;
}

void onboarding_advise(const struct onboarding *o, cJSON *json)
{
	if (onboarding_is_enrolled(&o->records.now) && all_have_failed(o))
		(void)cJSON_AddStringToObject(
			json, "advice",
			"no conductor is reached; each is tried for ever. Where a conductor has "
			"another address or SSH host key, only another one can tell: if none comes "
			"back as it was, this router needs a new token");
	else
		(void)cJSON_AddNullToObject(json, "advice");
}

void onboarding_note_unreachable(struct onboarding *o)
{
	struct conductor_list *list = &o->records.now.conductors;
	bool is_news = false;

	for (size_t i = 0; i < list->n; i++) {
		const int64_t since_s = tunnel_set_down_since_s(&o->tunnels, i);

		is_news |= list->each[i].unreachable_since_s != since_s;
		list->each[i].unreachable_since_s = since_s;
	}
	if (is_news && onboarding_is_enrolled(&o->records.now))
		(void)onboarding_keep(o, &o->records.now);
}
