/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onboarding_private.h - for onboarding*.c alone: what onboarding consists of. */
#pragma once

#include <limits.h>

#include "onboarding/router/network_changes.h"
#include "onboarding/router/onboarding.h"
#include "onboarding/router/onboarding_records.h"
#include "onboarding/router/reboot.h"
#include "onboarding/router/token_attempt.h"
#include "onboarding/router/tunnel_set.h"
#include "onboarding/ssh_kex.h"

struct onboarding {
	struct onboarding_options options;
	struct onboarding_records records;
	struct token_attempt *attempt; /* of the newer record; NULL = none */
	bool token_attempt_is_closing; /* then the record to be tried is tried */
	uv_timer_t again; /* until an attempt that could not be started is started again */
	struct reboot reboot;
	struct tunnel_set tunnels;
	uv_timer_t notes; /* until it is noted again which conductors are not reached */
	struct network_changes network; /* a change is a reason to try at once */
	char key_file[PATH_MAX];
	char kex[SSH_KEX_ALGORITHMS_SIZE]; /* of the tunnels; "" = there is none: */
	struct err kex_problem;            /* why */
	char boot_id[ONBOARDING_BOOT_SIZE];
	unsigned closing; /* parts that are not closed yet; 0 = not closing */
	void (*closed)(void *owner);
	void *owner;
};

/* Writes record to disk, and logs it if that fails. Returns whether it is on disk. */
bool onboarding_keep(const struct onboarding *o, const struct onboarding_record *record);
void onboarding_tell_disk_problem(const struct err *err);

/* The state changes only by these functions. Each checks onboarding_may_become(), writes the
 * record, and tells the journal and the owner: */

/* Replaces one of the two records (place) by what, with its state: on disk and in memory, or, on
 * failure, not at all. The function takes over what in either case. */
int onboarding_replace(struct onboarding *o, struct onboarding_record *place,
		       struct onboarding_record *what, struct err *err);
/* Sets the state also if it cannot be written, since it is a fact that has happened; then a
 * reboot continues from the state before. Returns whether it is on disk. */
bool onboarding_set_state(struct onboarding *o, struct onboarding_record *record,
			  enum onboarding_state state, const char *reason);
/* The two halves of onboarding_set_state(), for a caller that must do something between them:
 * change and write the state; then tell the journal and the owner. */
bool onboarding_enter(struct onboarding *o, struct onboarding_record *record,
		      enum onboarding_state state, const char *reason);
void onboarding_tell_state(const struct onboarding *o, const struct onboarding_record *record);

/* Try the token that is to be tried, if there is one: now, or when the present attempt has ended.
 */
void onboarding_try(struct onboarding *o);
void onboarding_end_attempt(struct onboarding *o);
void onboarding_part_closed(struct onboarding *o);

/* Adds "advice": what an operator can do where no conductor is reached; null = one is. */
void onboarding_advise(const struct onboarding *o, cJSON *json);
/* Notes on disk which conductors are not reached, and since when: where that has changed. */
void onboarding_note_unreachable(struct onboarding *o);
/* A tunnel has come up: conductors that leave may go now. */
void onboarding_settle_conductors(struct onboarding *o);

/* The boot after the initialization. */
void onboarding_init_reboot(struct onboarding *o);
/* If the reboot has taken place, the router is onboarded; else it is commanded. */
void onboarding_end_initialization(struct onboarding *o);
