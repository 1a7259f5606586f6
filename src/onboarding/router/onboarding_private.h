/* onboarding_private.h - for onboarding*.c alone: what onboarding consists of. */
#pragma once

#include <limits.h>

#include "onboarding/router/attempt.h"
#include "onboarding/router/links.h"
#include "onboarding/router/onboarding.h"
#include "onboarding/router/onboarding_records.h"
#include "onboarding/router/reboot.h"

struct onboarding {
	struct onboarding_options options;
	struct onboarding_records records;
	struct attempt *attempt; /* of the newer of these; NULL = none */
	bool attempt_is_closing; /* then what is to be tried by then is tried */
	uv_timer_t again;        /* until one that could not be begun is begun */
	struct reboot reboot;
	struct links links;
	char key_file[PATH_MAX];
	char boot_id[ONBOARDING_BOOT_SIZE];
	unsigned closing; /* parts that are not closed yet; 0 = not closing */
	void (*closed)(void *owner);
	void *owner;
};

/* On disk; where that fails it is told of. Returns whether it is there. */
bool onboarding_keep(const struct onboarding *o, const struct onboarding_record *record);
void onboarding_tell_disk_problem(const struct err *err);

/* A state changes by one of these alone. Each goes by onboarding_may_become(), writes, and tells
 * the journal and the owner: */

/* what, with its state, takes the place of one of the two records: on disk, or not at all. what is
 * the callee's either way. */
int onboarding_replace(struct onboarding *o, struct onboarding_record *place,
		       struct onboarding_record *what, struct err *err);
/* It has happened, whether the disk takes it or not; where it does not a reboot goes on from what
 * was before. Returns whether it is there. */
bool onboarding_set_state(struct onboarding *o, struct onboarding_record *record,
			  enum onboarding_state state, const char *reason);
/* The two halves of that, for who has something to do between them. */
bool onboarding_enter(struct onboarding *o, struct onboarding_record *record,
		      enum onboarding_state state, const char *reason);
void onboarding_tell_state(const struct onboarding *o, const struct onboarding_record *record);

/* The token that is to be tried, if one is: at once, or when the attempt with another has ended. */
void onboarding_try(struct onboarding *o);
void onboarding_end_attempt(struct onboarding *o);
void onboarding_part_closed(struct onboarding *o);

/* The boot after the initialization. */
void onboarding_init_reboot(struct onboarding *o);
/* Has it been, the router is onboarded; else it is commanded. */
void onboarding_end_initialization(struct onboarding *o);
