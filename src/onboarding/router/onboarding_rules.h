/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onboarding_rules.h - what an onboarding configuration changes on a router, and how a start
 * continues. Pure.
 *
 * A new token starts over. But a router that is enrolled keeps its enrolment and its tunnels
 * beside the new token until a conductor has enrolled it by that one. So a wrong file, or one
 * whose conductor is not reachable, cuts nobody off.
 */
#pragma once

#include "onboarding/router/onboarding_record.h"

enum onboarding_verdict {
	ONBOARDING_STARTS_OVER, /* it replaces the record in force: nothing of value is lost */
	ONBOARDING_GOES_BESIDE, /* it is tried beside the record in force, and replaces a newer one
				 */
	ONBOARDING_TAKES_BACK,  /* the router stays with the record in force; the newer one is
				   dropped */
	ONBOARDING_CHANGES_NOTHING, /* the router is enrolled by this token already */
};

/* now: the record in force, UNCONFIGURED = none; next: the record that is tried beside it,
 * likewise. jti: of the configuration that has come. */
enum onboarding_verdict onboarding_judge(const struct onboarding_record *now,
					 const struct onboarding_record *next, const char *jti);

/* A file that is there at the start: has its token been taken already, so that the file need not
 * be read again? A token that was refused may be tried again. */
bool onboarding_has_taken(const struct onboarding_record *now, const struct onboarding_record *next,
			  const char *jti);

/* May a record change from one state to the other, as the picture in onboarding_record.h shows? A
 * change to the same state means another reason, or another token. */
bool onboarding_may_become(enum onboarding_state from, enum onboarding_state to);

/* Is the router enrolled with a conductor, so that there are tunnels? */
bool onboarding_is_enrolled(const struct onboarding_record *record);
/* Is its token to be shown to conductors? */
bool onboarding_is_tried(const struct onboarding_record *record);

/* The daemon starts in INITIALIZING: has the reboot taken place? Yes in another boot. Yes also in
 * the same boot if the reboot was commanded: then reboot-command restarts less than the machine,
 * and the daemon was restarted. */
bool onboarding_has_rebooted(const struct onboarding_record *record, const char *boot_id);
