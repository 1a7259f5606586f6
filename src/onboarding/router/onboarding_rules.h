/* onboarding_rules.h - what an onboarding configuration does to a router, and what a start goes on
 * with. Pure.
 *
 * A token that is new starts over. A router that is enrolled keeps what it has beside it, tunnels
 * and all, until a conductor has enrolled it by the new one: a mistaken file, or one whose
 * conductor is not there, cuts nobody off.
 */
#pragma once

#include "onboarding/router/onboarding_record.h"

enum onboarding_verdict {
	ONBOARDING_STARTS_OVER, /* it takes the place of what holds: nothing is lost with that */
	ONBOARDING_GOES_BESIDE, /* it is tried beside what holds, in the place of a newer one */
	ONBOARDING_TAKES_BACK,  /* the router stays with what holds; the newer one is dropped */
	ONBOARDING_CHANGES_NOTHING, /* by this token it is enrolled already */
};

/* now: what holds, UNCONFIGURED = nothing; next: what is tried beside it, likewise. jti: of the
 * configuration that has come. */
enum onboarding_verdict onboarding_judge(const struct onboarding_record *now,
					 const struct onboarding_record *next, const char *jti);

/* Is the token of a file that lies there at the start taken already, so that the file only shows
 * it to others? A token that was refused may be tried again. */
bool onboarding_has_taken(const struct onboarding_record *now, const struct onboarding_record *next,
			  const char *jti);

/* Does a record go from one state to the other by a step of the picture in onboarding_record.h? To
 * the same state: with another reason, or by another token. */
bool onboarding_may_become(enum onboarding_state from, enum onboarding_state to);

/* Is a conductor enrolled with, so that there are tunnels? */
bool onboarding_is_enrolled(const struct onboarding_record *record);
/* Is its token to be shown to conductors? */
bool onboarding_is_tried(const struct onboarding_record *record);

/* A start in INITIALIZING: has the reboot been? If it was commanded, and this is the same boot all
 * the same, the command restarts less than the machine, and the daemon did come up anew. */
bool onboarding_has_rebooted(const struct onboarding_record *record, const char *boot_id);
